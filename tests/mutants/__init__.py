"""Rules of the production code broken one at a time, to show that the simulation and the tests notice."""
