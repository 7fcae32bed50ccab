"""What chance meets too seldom: scenarios of the simulation that are asked beside its seeds."""

SCENARIOS = ("tests/simulation/test_scenarios.py",)
ANSWERS = ("tests/simulation/test_answers.py",)
GOES_ON = ("tests/simulation/test_goes_on.py",)
LOOKS = ("tests/simulation/test_looks.py",)
PUBLIC_IPS = ("tests/simulation/test_public_ips.py",)
TARGETS = ("tests/simulation/test_targets.py",)
