"use strict";

// What the page carries, and how elements are made. Text only ever becomes text: nothing here writes HTML.

const unpackedTexts = new Map();

/** The text of a data block: gzip in base64. */
function unpackedText(id) {
  if (!unpackedTexts.has(id)) {
    const bytes = Uint8Array.from(atob(document.getElementById(`data-${id}`).textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    unpackedTexts.set(id, new Response(stream).text());
  }
  return unpackedTexts.get(id);
}

/** The value of a data block of JSON. */
async function unpacked(id) {
  return JSON.parse(await unpackedText(id));
}

/** An element with attributes (those that are null or false are left out) and children: elements or text. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Save text or a data URL as a file. */
function save(name, content, type) {
  const url = type ? URL.createObjectURL(new Blob([content], { type })) : content;
  const link = element("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  if (type) setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** Rows as CSV. A text that a spreadsheet would take for a formula is quoted. */
function csv(rows) {
  const cell = (value) => {
    if (value === null || value === undefined) return "";
    const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) && !/^[+\-]?[\d.,]/.test(value) ? `'${value}` : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** A file name of a title. */
function fileName(title, ending) {
  return `${title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "figure"}.${ending}`;
}

/** Say to the reader that something does not work. */
function trouble(text) {
  const place = document.getElementById("trouble");
  place.textContent = text;
  place.hidden = false;
}
