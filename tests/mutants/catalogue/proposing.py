"""Rules of a first configuration: what could be meant otherwise is in no file until somebody says so."""

from __future__ import annotations

from tests.mutants.change import replace
from tests.mutants.mutant import Mutant

PROPOSAL_TESTS = ("tests/unit/test_proposal.py",)
PROPOSING = (
    Mutant(
        "proposal-takes-doubtful",
        "what is in doubt is taken only when somebody has said so",
        "nvaha.config.proposal.nvas:Item.judged",
        replace("not self.doubt", by="True"),
        tests=PROPOSAL_TESTS,
        simulated=False,
    ),
    Mutant(
        "proposal-moves-own-public-ips",
        "public IPs that each NVA has at the same place are their own",
        "nvaha.config.proposal.public_ips:_item",
        replace("len(holders) > 1", by="False"),
        tests=PROPOSAL_TESTS,
        simulated=False,
    ),
    Mutant(
        "proposal-moves-the-standby-s",
        "a public IP on another NVA than routes lead to is asked about",
        "nvaha.config.proposal.public_ips:_item",
        replace("active not in {None, who}", by="False"),
        tests=PROPOSAL_TESTS,
        simulated=False,
    ),
    Mutant(
        "proposal-moves-pinned-routes",
        "a table with routes to several NVAs is asked about",
        "nvaha.config.proposal.tables:_doubt",
        replace("len(on) > 1", by="False"),
        tests=PROPOSAL_TESTS,
        simulated=False,
    ),
    Mutant(
        "proposal-takes-a-namesake",
        "an address that another network has, too, is asked about",
        "nvaha.config.proposal.tables:_doubt",
        replace("others and {network_of(subnet) for subnet in used} != {here}", by="False"),
        tests=PROPOSAL_TESTS,
        simulated=False,
    ),
    Mutant(
        "proposal-acts",
        "a first configuration looks and reports, and moves nothing",
        "nvaha.config.proposal.propose:propose",
        replace("automatic=False", by="automatic=True"),
        tests=PROPOSAL_TESTS,
        simulated=False,
    ),
    Mutant(
        "list-leads-elsewhere",
        "a token goes to no other host, wherever a list's next page is said to be",
        "nvaha.azure.arm.network:ArmNetwork.list_all",
        replace("self._client.resolve(str(link))", by="str(link)"),
        tests=("tests/unit/test_azure_lists.py",),
        simulated=False,
    ),
)
