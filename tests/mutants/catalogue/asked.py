"""Who is asked by name: scenarios of what chance meets too seldom, and tests that import no such module."""

SCENARIOS = ("tests/simulation/test_scenarios.py",)
ANSWERS = ("tests/simulation/test_answers.py",)
GOES_ON = ("tests/simulation/test_goes_on.py",)
LOOKS = ("tests/simulation/test_looks.py",)
PUBLIC_IPS = ("tests/simulation/test_public_ips.py",)
TARGETS = ("tests/simulation/test_targets.py",)
CONFIGURATIONS = ("tests/simulation/test_configurations.py",)
QUEUES = ("tests/simulation/test_queue.py",)

DECISIONS = (
    "tests/unit/core/test_decide.py",
    "tests/unit/core/test_finish.py",
    "tests/unit/core/test_first_looks.py",
    "tests/unit/core/test_said_again.py",
)
PLANS = (
    "tests/unit/core/test_one_place_each.py",
    "tests/unit/core/test_plan.py",
    "tests/unit/core/test_recognised.py",
    "tests/unit/core/test_where_it_may_go.py",
)
LONG_LOOKS = ("tests/unit/watch/test_long_looks.py",)
WRITES = ("tests/unit/test_azure_following.py", "tests/unit/test_azure_following_asks.py")
ELECTIONS = ("tests/unit/watch/test_elected_again.py",)
COMMITS = ("tests/unit/state/test_lost_answers.py",)
ABANDONED = ("tests/unit/watch/test_abandoned.py",)
ILLEGIBLE = ("tests/unit/switch/test_illegible.py",)
WILD_ROWS = ("tests/unit/watch/test_wild_rows.py",)
CARRIED = ("tests/unit/azure/test_carried.py",)
REQUESTS = ("tests/unit/test_azure_network.py",)
BUDGETS = ("tests/unit/azure/test_budget.py",)
LANES = ("tests/unit/test_web.py", "tests/unit/test_web_lanes.py")
THROTTLINGS = ("tests/simulation/test_throttled.py",)
WIRINGS = ("tests/unit/app/test_wiring.py",)
WORKERS = ("tests/unit/switch/test_worker.py",)
REPORTS = ("tests/unit/core/test_lifecycle.py",)
DISCOVERIES = ("tests/unit/core/test_discovery.py",)
ROUNDS = ("tests/unit/watch/test_rounds.py",)
PAST = ("tests/simulation/test_past.py",)
AGES = ("tests/unit/core/test_age.py",)
TIMED = ("tests/simulation/test_timed.py",)
TIMES = ("tests/unit/core/test_timed.py",)
