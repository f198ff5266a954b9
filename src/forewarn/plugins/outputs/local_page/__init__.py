"""One page beside the machine: state, alarms, connectors, buffer and ledger, live and read only."""

from typing import Final

from forewarn.plugins.outputs.local_page.output import LocalPage

OUTPUT: Final = LocalPage()
