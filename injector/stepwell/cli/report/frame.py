"""One HTML page that needs nothing else: style, scripts and data are inside.

The charts are Vega-Lite's; its JavaScript is put beside the other assets when Stepwell is built, so that no network is
needed, neither here nor where the page is read.  Everything that is text in the data reaches the page through Jinja's
escaping or as JSON without "<", so that no file name can become markup.
"""

from __future__ import annotations

import json
from typing import Any

import jinja2

from stepwell.cli import evidence
from stepwell.cli import format as form


def fill(name: str, data: object, **values: Any) -> str:
    """Return the page that assets `name`.html and `name`.js make.

    Args:
        name: of the assets; the template extends frame.html.
        data: what the charts draw: `frame.data` in the script; it has a form as JSON.
        values: what the template names, among them `title`, and `version` of what found the data.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("stepwell.cli.report", "assets"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: form.printable(value) if type(value) is str else value,
    )
    environment.filters |= {
        "count": form.count,
        "size": form.size,
        "duration": form.duration,
        "percent": form.percent,
        "rate": evidence.rate,
    }
    source = environment.loader
    assert source is not None

    def asset(name: str) -> str:
        return source.get_source(environment, name)[0]

    return environment.get_template(f"{name}.html").render(
        values,
        style=_Raw(asset("frame.css")),
        vega=_Raw(asset("vega.js").replace("</script", r"<\/script")),
        frame=_Raw(asset("frame.js")),
        script=_Raw(asset(f"{name}.js")),
        data=_Raw(_json(data)),
    )


class _Raw(str):
    """Text that is not to be escaped: our own files, and JSON made safe."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


def _json(value: object) -> str:
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")
