"""Who is asked by name: scenarios of what chance meets too seldom, and tests that import no such module."""

SCENARIOS = ("tests/simulation/test_scenarios.py",)
ANSWERS = ("tests/simulation/test_answers.py",)
GOES_ON = ("tests/simulation/test_goes_on.py",)
LOOKS = ("tests/simulation/test_looks.py",)
PUBLIC_IPS = ("tests/simulation/test_public_ips.py",)
TARGETS = ("tests/simulation/test_targets.py",)

DECISIONS = ("tests/unit/core/test_decide.py",)
PLANS = ("tests/unit/core/test_plan.py",)
WRITES = ("tests/unit/test_azure_following.py",)
