"""The mutants: what rule each breaks, how, and which checks are to notice."""

from __future__ import annotations

from tests.mutants import deciding, writing
from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (*writing.MUTANTS, *deciding.MUTANTS)
