"""Rules of tokens: had before they are needed, kept, and never missed for good."""

from __future__ import annotations

from tests.mutants.catalogue.asked import REQUESTS
from tests.mutants.change import drop, replace
from tests.mutants.mutant import Mutant

HANDED_OVER = ("tests/unit/switch/test_handed_over.py",)
BEHALF = ("tests/unit/switch/test_behalf.py",)
CALLERS = ("tests/unit/test_web.py",)
PAGE = ("tests/unit/test_page.py",)
TOKENS = ("tests/unit/azure/test_tokens.py",)

AUDIT = (
    Mutant(
        "operation-not-told-to-azure",
        "what is done for an operation bears its id in Azure's records",
        "nvaha.azure.arm.client:ArmClient._send",
        drop("request.headers['x-ms-correlation-request-id'] = correlation_id(operation)"),
        simulated=False,
        tests=REQUESTS,
    ),
    Mutant(
        "works-for-nobody",
        "a worker says for which operation it works",
        "nvaha.switch.worker:Switcher.run",
        replace("ON_BEHALF_OF.set(message.operation)", by="ON_BEHALF_OF.set(None)"),
        simulated=False,
        tests=BEHALF,
    ),
    Mutant(
        "works-on-for-it",
        "what comes after an operation is not done for it",
        "nvaha.switch.worker:Switcher.run",
        drop("ON_BEHALF_OF.reset(work)"),
        simulated=False,
        tests=BEHALF,
    ),
    Mutant(
        "strangers-word-believed",
        "only where a sign-in stands before the app are a caller's headers the platform's word",
        "nvaha.web.api:Api._caller",
        replace("self._signed_in and (principal := said('id', 50))", by="(principal := said('id', 50))"),
        simulated=False,
        tests=CALLERS,
    ),
    Mutant(
        "claim-for-a-fact",
        "what a caller only says of itself is marked",
        "nvaha.web.api:Api._caller",
        replace("f'{safe(claim)[:90]}{CLAIMED}'", by="safe(claim)[:90]"),
        simulated=False,
        tests=CALLERS,
    ),
    Mutant(
        "callers-name-in-the-page",
        "what a caller calls himself is text on the status page",
        "nvaha.web.page:Page.index",
        replace("escape(self._caller(request))", by="self._caller(request)"),
        simulated=False,
        tests=PAGE,
    ),
    Mutant(
        "page-of-two-releases",
        "a browser is given the files of one release, and mixes no two",
        "nvaha.web.page:Page.file",
        replace("request.route_params.get('version') != self._version", by="False"),
        simulated=False,
        tests=PAGE,
    ),
)

IDENTITY = (
    Mutant(
        "no-token-denied",
        "only ARM itself says that somebody may not",
        "nvaha.azure.arm.client:_no_token",
        replace("NetworkFault.NO_TOKEN", by="NetworkFault.DENIED"),
        simulated=False,
        tests=REQUESTS,
    ),
    Mutant(
        "deep-failure-is-arms",
        "whatever fails where a token is had is a token that was not had",
        "nvaha.azure.tokens:TokenKeeper._fetch",
        replace("raise CredentialUnavailableError(self.trouble) from error", by="raise"),
        simulated=False,
        tests=TOKENS,
    ),
    Mutant(
        "claims-without-a-token",
        "a worker that cannot ask Azure keeps nobody from a switch who can",
        "nvaha.switch.worker:Switcher._claim",
        drop("await self._ports.have_token()"),
        simulated=False,
        tests=HANDED_OVER,
    ),
    Mutant(
        "keeps-without-a-token",
        "a switch whose worker lost its token is asked for as soon as one that nobody took up",
        "nvaha.core.lifecycle:_held_up",
        replace("report.let_go", by="False"),
        simulated=False,
        tests=HANDED_OVER,
    ),
    Mutant(
        "step-failed-without-a-token",
        "a write that was never sent for want of a token is no failed step",
        "nvaha.switch.apply:_raise_without_a_token",
        drop("raise failure"),
        simulated=False,
        tests=HANDED_OVER,
    ),
    Mutant(
        "no-token-poisons",
        "a message whose worker has no token does not end on the poison queue",
        "nvaha.switch.worker:Switcher._claim",
        replace("error.fault is not NetworkFault.NO_TOKEN", by="True"),
        simulated=False,
        tests=HANDED_OVER,
    ),
    Mutant(
        "silence-handed-over",
        "that Azure is silent is for the runtime to try again",
        "nvaha.switch.worker:Switcher._claim",
        replace("error.fault is not NetworkFault.NO_TOKEN", by="False"),
        simulated=False,
        tests=HANDED_OVER,
    ),
    Mutant(
        "first-token-when-needed",
        "tokens are had before they are asked for",
        "nvaha.azure.tokens:TokenKeeper.keep",
        drop("await self._fetch({})"),
        simulated=False,
        tests=TOKENS,
    ),
    Mutant(
        "never-renewed",
        "a token is renewed long before it ends",
        "nvaha.azure.tokens:TokenKeeper.keep",
        replace("EVERY_S if not failed else AGAIN_S[min(failed, len(AGAIN_S)) - 1]", by="86400.0"),
        simulated=False,
        tests=TOKENS,
    ),
    Mutant(
        "good-token-not-used",
        "a token that is good is handed out, whatever became of asking for the next one",
        "nvaha.azure.tokens:TokenKeeper.get_token_info",
        replace("held is not None", by="held is not None and self.trouble is None"),
        simulated=False,
        tests=TOKENS,
    ),
    Mutant(
        "token-to-its-last-second",
        "a token that ends before its request does is as good as none",
        "nvaha.azure.tokens:TokenKeeper.held",
        replace("SPARE_S", by="0.0"),
        simulated=False,
        tests=TOKENS,
    ),
    Mutant(
        "lack-of-token-not-told",
        "people hear that no token can be had",
        "nvaha.azure.tokens:TokenKeeper.tell",
        replace("trouble is not None and not self._told", by="False"),
        simulated=False,
        tests=TOKENS,
    ),
)
