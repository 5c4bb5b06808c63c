// The page at work: figures as they come into view, trees, the theme, what is saved and what is printed.

const holders = [...document.querySelectorAll("figure[data-figure]")];
let figures = [];

async function start() {
  if (!("DecompressionStream" in window)) {
    trouble("This browser is too old to draw figures and trees (it has no DecompressionStream); everything else is here.");
    return;
  }
  setTheme(remembered());
  if (document.getElementById("data-trees")) window.viewer = new Viewer(await unpacked("trees"));
  figures = await unpacked("figures");
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      seen.unobserve(entry.target);
      draw(entry.target, figures[entry.target.dataset.figure]).catch(failed);
    }
  }, { rootMargin: "600px" });
  holders.forEach((holder) => seen.observe(holder));
  // Also where no figure is in view: printing does not wait for what has still to be unpacked.
  if (holders.length) await plotly();
}

/** Draw all figures now, those that were drawn again in the colours of now. */
function redraw(all) {
  return Promise.all(holders.filter((holder) => all || holder.dataset.drawn).map((holder) => draw(holder, figures[holder.dataset.figure])));
}

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  document.getElementById("theme").textContent = isDark() ? "Light" : "Dark";
  document.getElementById("theme").setAttribute("aria-label", isDark() ? "Light colours" : "Dark colours");
}

function remembered() {
  try {
    return localStorage.getItem("prmkit-theme");
  } catch {
    return null; // a browser that keeps nothing for files
  }
}

function remember(theme) {
  try {
    localStorage.setItem("prmkit-theme", theme);
  } catch {
    // Then the next page starts as the system says.
  }
}

function failed(error) {
  trouble(`A figure could not be drawn (${error}).`);
}

function tableRows(table) {
  return [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent));
}

document.getElementById("theme").addEventListener("click", () => {
  const theme = isDark() ? "light" : "dark";
  remember(theme);
  setTheme(theme);
  redraw(false).catch(failed);
});

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  setTheme(null);
  redraw(false).catch(failed);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-save]");
  if (!button) return;
  if (button.dataset.save === "table") {
    const box = button.closest(".table");
    save(fileName(box.querySelector(".scroll").getAttribute("aria-label"), "csv"), csv(tableRows(box.querySelector("table"))), "text/csv");
  } else {
    exportFigure(figures[button.closest("figure").dataset.figure], button.dataset.save).catch(failed);
  }
});

window.addEventListener("beforeprint", () => {
  printing = true;
  document.querySelectorAll("details").forEach((one) => one.setAttribute("open", ""));
  redraw(true).catch(failed);
});

window.addEventListener("afterprint", () => {
  printing = false;
  redraw(false).catch(failed);
});

start().catch((error) => trouble(`The page could not be read (${error}).`));
