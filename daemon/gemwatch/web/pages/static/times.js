// Times: the server writes UTC, the reader sees their own zone (named once), and distances to now stay true.
// The words are those of core/text/formatting.py; a test compares the two.

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Turn every time below `root` into the reader's. Done to a page that has arrived before it is compared, too. */
export function showTimes(root) {
  const now = new Date();
  for (const element of root.querySelectorAll("time[datetime]")) {
    const time = new Date(element.dateTime);
    if (!Number.isNaN(time.getTime())) {
      element.title = `${day(time)}, ${clock(time)} (${zone})`;
      write(element, element.dataset.how === "moment" ? moment(time, now) : away(element.dataset.how, time, now));
    }
  }
  const named = root.getElementById("zone");
  if (named) write(named, `, all times in ${zone}`);
}

/** Keep the distances true. */
export function tick(root) {
  const now = new Date();
  for (const element of root.querySelectorAll('time[data-how="ago"], time[data-how="until"]')) {
    const time = new Date(element.dateTime);
    if (!Number.isNaN(time.getTime())) write(element, away(element.dataset.how, time, now));
  }
}

/** `13:21:07` today, `18 Feb, 13:21:07` this year. */
export function moment(time, now) {
  if (time.toDateString() === now.toDateString()) return clock(time);
  const sameYear = time.getFullYear() === now.getFullYear();
  return `${sameYear ? day(time).replace(` ${now.getFullYear()}`, "") : day(time)}, ${clock(time)}`;
}

/** What is still to come and has not, is due: `next poll due`, not `next poll 3 s ago`. */
function away(how, time, now) {
  return how === "until" && time - now < 1000 ? "due" : distance(time, now);
}

/** `5 min ago`, `in 12 s`, `now`. */
export function distance(time, now) {
  const seconds = Math.trunc((time - now) / 1000);
  if (seconds > 0) return `in ${span(seconds)}`;
  return seconds === 0 ? "now" : `${span(-seconds)} ago`;
}

/** Two units at most, cut off rather than rounded. */
export function span(seconds) {
  const minutes = Math.floor(seconds / 60), hours = Math.floor(seconds / 3600), days = Math.floor(seconds / 86400);
  if (minutes < 1) return `${seconds} s`;
  if (hours < 1) return `${minutes} min`;
  if (days < 2) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function day(time) {
  return `${time.getDate()} ${MONTHS[time.getMonth()]} ${time.getFullYear()}`;
}

function clock(time) {
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}
