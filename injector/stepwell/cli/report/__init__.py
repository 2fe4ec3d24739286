"""`stepwell report`: one trace as pictures and tables, as JSON, or as one HTML page.

Here belongs only how a `Summary` looks; what it says is computed in
`stepwell.analysis`.
"""

from __future__ import annotations

from stepwell.cli.report.command import report

__all__ = ["report"]
