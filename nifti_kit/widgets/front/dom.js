// Joined to each script when it is loaded. Text is put in as text, never as markup.

const el = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "text") made.textContent = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
};


// Where a long name may break: after a sign between its words, and in what no one reads as a word.
const BREAKS = /(?<=[/\\_]|\S-)(?=[^/\\_.\s-])|(?<=\.)(?!gz\b)(?=[^/\\_.\s\d-])|(?<=[^/\\_.\s-]{24})(?=[^/\\_.\s-]{4})/;
const broken = (text) => String(text).split(BREAKS)
  .flatMap((piece, at) => (at ? [document.createElement("wbr"), piece] : [piece]));
