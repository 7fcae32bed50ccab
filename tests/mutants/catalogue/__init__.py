"""The mutants: which rule each breaks, where that rule is kept, and what breaks it."""

from __future__ import annotations

from tests.mutants.catalogue.arm import ERRORS, FOLLOWING, TALKING
from tests.mutants.catalogue.canary import CANARY
from tests.mutants.catalogue.deciding import COMMANDING, DECIDING, DISCOVERING, LOOKING
from tests.mutants.catalogue.examining import EXAMINING
from tests.mutants.catalogue.identity import AUDIT, IDENTITY
from tests.mutants.catalogue.lasting import COMMITTING, HOLDING, READING, STORING
from tests.mutants.catalogue.past import PASSING
from tests.mutants.catalogue.planning import ATTACHING, PLANNING, SURVEYING
from tests.mutants.catalogue.proposing import PROPOSING
from tests.mutants.catalogue.rivals import RIVALS
from tests.mutants.catalogue.sending import SENDING
from tests.mutants.catalogue.sharing import SHARING
from tests.mutants.catalogue.showing import SHOWING
from tests.mutants.catalogue.standing import STANDING_BY, YIELDING
from tests.mutants.catalogue.switching import FINISHING, HELD_UP, HOLDING_BACK, SWITCHING
from tests.mutants.catalogue.telemetry import TELEMETRY
from tests.mutants.catalogue.timed import TIMING
from tests.mutants.catalogue.watching import (
    ANSWERING,
    ENDING,
    FLOODED,
    HIDING,
    LEADING,
    SEEING,
    STEADY,
    TELLING,
)
from tests.mutants.catalogue.writing import ATTEMPTING, MOVING_PUBLIC_IPS, WRITING
from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    *DECIDING,
    *DISCOVERING,
    *COMMANDING,
    *LOOKING,
    *SWITCHING,
    *HELD_UP,
    *FINISHING,
    *HOLDING_BACK,
    *PASSING,
    *COMMITTING,
    *HOLDING,
    *READING,
    *STORING,
    *LEADING,
    *SEEING,
    *ANSWERING,
    *ENDING,
    *FLOODED,
    *HIDING,
    *STEADY,
    *TELLING,
    *PLANNING,
    *ATTACHING,
    *SURVEYING,
    *WRITING,
    *ATTEMPTING,
    *MOVING_PUBLIC_IPS,
    *FOLLOWING,
    *TALKING,
    *ERRORS,
    *SHARING,
    *SENDING,
    *IDENTITY,
    *AUDIT,
    *YIELDING,
    *STANDING_BY,
    *RIVALS,
    *CANARY,
    *TIMING,
    *SHOWING,
    *PROPOSING,
    *EXAMINING,
    *TELEMETRY,
)
