"use strict";
// What all pages share: their data, colours and units, and the drawing of their figures.
const frame = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  // Okabe and Ito, "Color Universal Design" (2008): told apart with every kind of colour vision.
  const LIGHT = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a90c", "#888888"];
  const DARK = ["#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#3d7fc4", "#d55e00", "#f0e442", "#999999"];
  const palette = (i) => (dark.matches ? DARK : LIGHT).at(i);
  const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

  function unit(bytes) {
    const step = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(bytes, 1)) / 10)));
    return [1024 ** step, UNITS[step]];
  }

  function size(bytes) {
    const [scale, name] = unit(bytes);
    return `${+(bytes / scale).toPrecision(3)} ${name}`;
  }

  function time(ns) {
    const [scale, name] = ns < 1e3 ? [1, "ns"] : ns < 1e6 ? [1e3, "us"] : ns < 1e9 ? [1e6, "ms"] : [1e9, "s"];
    return `${+(ns / scale).toPrecision(3)} ${name}`;
  }

  function config() {
    const style = getComputedStyle(document.documentElement);
    const [text, quiet, line] = ["--text", "--quiet", "--line"].map((name) => style.getPropertyValue(name).trim());
    return {
      background: "transparent", view: { stroke: line },
      axis: { labelColor: quiet, titleColor: quiet, gridColor: line, domainColor: line, tickColor: line, titleFontWeight: "normal", labelFontSize: 11, gridOpacity: 0.6 },
      legend: { labelColor: text, titleColor: quiet, titleFontWeight: "normal" },
    };
  }

  /** Draw every figure with data-chart: `charts` has a function for each name, which returns its Vega-Lite. */
  function show(charts) {
    const drawn = new Map();

    function draw(figure) {
      if (drawn.has(figure)) return;
      const spec = { $schema: "https://vega.github.io/schema/vega-lite/v6.json", width: "container", autosize: { type: "fit-x", contains: "padding" }, config: config(), ...charts[figure.dataset.chart](figure) };
      const options = { actions: false, renderer: "canvas" };
      drawn.set(figure, vegaEmbed(figure.querySelector(".plot"), spec, options).then((result) => {
        figure.dataset.drawn = "";
        return result;
      }));
    }

    // What is on the screen comes first, all else when there is time.
    const figures = [...document.querySelectorAll("figure[data-chart]")];
    const near = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => draw(entry.target)));
    figures.forEach((figure) => near.observe(figure));
    (function later() {
      const next = figures.find((figure) => !drawn.has(figure));
      if (!next) return;
      draw(next);
      drawn.get(next).then(() => setTimeout(later));
    })();

    dark.addEventListener("change", () => {
      for (const [figure, promise] of [...drawn]) {
        promise.then((result) => result.finalize());
        drawn.delete(figure);
        draw(figure);
      }
    });
  }

  return { data, dark, COLOURS: LIGHT.length, palette, unit, size, time, show };
})();
