"""`forewarn` on a machine whose clock is wrong: the file that FOREWARN_DRILL_CLOCK names says by how many microseconds,
and is read again and again."""

from forewarn.app.cli import app
from forewarn.app.gateway.drill_clock import machine_clock
from forewarn.kit.clock import keep_time_by

if __name__ == "__main__":
    keep_time_by(machine_clock())
    app(prog_name="forewarn")
