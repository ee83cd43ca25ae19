// Shows the options and their counts, sends a vote, and asks for the results again and again.

const POLL_MS = 2000;
const POLL_MS_MAX = 30000;

const form = document.getElementById("form");
const button = form.querySelector("button");
const options = document.getElementById("options");
const said = document.getElementById("said");
const results = document.getElementById("results");
const total = document.getElementById("total");
const state = document.getElementById("state");

const number = new Intl.NumberFormat();
let wait = POLL_MS;
let timer = 0;
let shown = "";

// Live regions speak when their text changes: the same text is not set twice.
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// Only when the options themselves change, so that a choice and the focus stay.
function showOptions(names) {
  const list = JSON.stringify(names);
  if (list === shown) return;
  shown = list;
  options.replaceChildren(
    ...names.map((name) =>
      element("label", {}, element("input", {
        type: "radio", name: "option", value: name, required: true,
      }), name)),
  );
}

function showResults(counts) {
  const entries = Object.entries(counts);
  const sum = entries.reduce((before, [, count]) => before + count, 0);
  showOptions(entries.map(([name]) => name));
  say(total, `${number.format(sum)} ${sum === 1 ? "vote" : "votes"} so far`);
  results.replaceChildren(
    ...entries.map(([name, count]) => {
      const percent = sum ? Math.round((100 * count) / sum) : 0;
      const bar = element("progress", { max: 100, value: percent });
      bar.setAttribute("aria-hidden", "true"); // the number beside it says the same
      return element("tr", {},
        element("th", { scope: "row" }, name),
        element("td", {}, number.format(count)),
        element("td", {}, bar, ` ${percent} %`));
    }),
  );
}

async function poll() {
  clearTimeout(timer);
  try {
    const response = await fetch("/results", { cache: "no-store" });
    if (!response.ok) throw new Error(String(response.status));
    showResults((await response.json()).results);
    say(state, "");
    wait = POLL_MS;
  } catch {
    say(state, "The results can’t be read now; trying again.");
    wait = Math.min(wait * 2, POLL_MS_MAX);
  }
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(poll, wait);
}

const ANSWERS = {
  202: "Your vote has been taken.",
  401: "Sign in to vote.",
  403: "You may not vote here.",
  429: "Too many votes from here; wait a moment.",
};

async function vote(event) {
  event.preventDefault();
  const option = new FormData(form).get("option");
  button.disabled = true;
  say(said, "");
  try {
    const response = await fetch("/vote", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ option }),
    });
    say(said, ANSWERS[response.status] ?? `The vote was not taken (${response.status}).`);
  } catch {
    say(said, "The vote could not be sent.");
  }
  button.disabled = false;
  button.focus();
  poll();
}

form.addEventListener("submit", vote);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) poll();
});
poll();
