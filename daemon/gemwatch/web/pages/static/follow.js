// Follows the server's events: when something has changed, the same address is asked again and the difference shown.

import { reveal } from "./copy.js";
import { morph } from "./morph.js";
import { showTimes } from "./times.js";

const AT_MOST_EVERY = 2000; // ms between two refreshes
const ANYWAY_EVERY = 60000; // bars move on even when nothing happens
const GRACE = 4000; // streams end and reconnect regularly: that is not a failure
const AGAIN_AFTER = 10000; // after a refusal, which browsers do not retry
const TYPING = 250; // ms of rest before what was typed is searched for
const MOST_TOLD = 5; // ends that are read out one by one

let events = null; // the connection, while the page is seen
let lastRefresh = 0;
let planned = null; // the timer of the next refresh
let asked = null; // the request under way
let doubt = null; // the timer until "reconnecting" is shown

export function follow(address) {
  show("connecting");
  document.addEventListener("visibilitychange", () => seen(address));
  document.addEventListener("input", typed);
  setInterval(refreshSoon, ANYWAY_EVERY);
  seen(address);
}

/** A page in the background holds no connection, of which a browser has few: it is brought up to date now and then. */
function seen(address) {
  if (document.hidden) {
    events?.close();
    events = null;
  } else if (!events) {
    listen(address);
  }
}

function listen(address) {
  const mine = (events = new EventSource(address));
  mine.addEventListener("hello", () => {
    clearTimeout(doubt);
    doubt = null;
    show("live");
  });
  mine.addEventListener("changed", refreshSoon);
  mine.addEventListener("error", () => {
    doubt ??= setTimeout(() => show("reconnecting"), GRACE);
    if (mine.readyState !== EventSource.CLOSED) return;
    setTimeout(() => mine === events && listen(address), AGAIN_AFTER);
    refreshSoon(); // without a session this leads to the login page
  });
}

function show(state) {
  const light = document.getElementById("live");
  if (!light) return;
  light.hidden = false;
  light.dataset.state = state;
  light.textContent = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting" }[state];
}

function refreshSoon() {
  if (planned) return;
  const wait = Math.max(0, lastRefresh + AT_MOST_EVERY - Date.now());
  planned = setTimeout(() => {
    planned = null;
    refresh();
  }, wait);
}

async function refresh() {
  lastRefresh = Date.now();
  asked?.abort();
  const mine = (asked = new AbortController());
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: mine.signal });
    if (answer.redirected || answer.status === 401 || answer.status === 403) location.reload();
    else if ((answer.headers.get("Content-Type") ?? "").startsWith("text/html")) take(await answer.text());
  } catch {
    // Not reached, or a later request took its place. The indicator says how things are.
  } finally {
    if (asked === mine) asked = null;
  }
}

function take(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  if (!fresh.getElementById("main")) return;
  showTimes(fresh);
  reveal(fresh);
  const before = jobs(document), focused = document.activeElement;
  morph(document.body, fresh.body);
  document.title = fresh.title;
  const icon = fresh.getElementById("favicon")?.getAttribute("href");
  if (icon) document.getElementById("favicon").setAttribute("href", icon);
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
  tell(before);
}

function jobs(root) {
  return new Map([...root.querySelectorAll("[data-ended]")].map((job) => [job.id, { ...job.dataset }]));
}

/** Mark what moved, and read out what ended. */
function tell(before) {
  const ends = [];
  for (const job of document.querySelectorAll("[data-ended]")) {
    const was = before.get(job.id);
    if (!was || was.status === job.dataset.status) continue;
    job.classList.add("fresh");
    job.addEventListener("animationend", () => job.classList.remove("fresh"), { once: true });
    if (job.dataset.ended === "true" && was.ended === "false") ends.push(`${job.dataset.name}: ${job.dataset.status}`);
  }
  if (!ends.length) return;
  document.getElementById("news").textContent =
    ends.length > MOST_TOLD ? `${ends.length} jobs have finished` : ends.join(". ");
}

let rest = null;

/** Search while one types, at the same address that the form leads to. */
function typed(event) {
  const form = event.target.form;
  if (form?.id !== "search") return;
  clearTimeout(rest);
  rest = setTimeout(() => {
    const wanted = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== "")).toString();
    history.replaceState(null, "", form.getAttribute("action") + (wanted ? `?${wanted}` : ""));
    refresh();
  }, TYPING);
}
