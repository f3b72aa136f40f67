// Times: the server writes UTC, the reader sees their own zone (named once), and distances to now stay true.

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const year = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** Turn every time below `root` into the reader's. Done to a page that has arrived before it is compared, too. */
export function showTimes(root) {
  const now = new Date();
  for (const element of root.querySelectorAll("time[datetime]")) {
    const time = new Date(element.dateTime);
    if (!Number.isNaN(time.getTime())) {
      element.title = `${year.format(time)}, ${clock.format(time)} (${zone})`;
      write(element, element.dataset.how === "moment" ? moment(time, now) : distance(time, now));
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
    if (!Number.isNaN(time.getTime())) write(element, distance(time, now));
  }
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function moment(time, now) {
  if (time.toDateString() === now.toDateString()) return clock.format(time);
  const date = time.getFullYear() === now.getFullYear() ? day : year;
  return `${date.format(time)}, ${clock.format(time)}`;
}

function distance(time, now) {
  const seconds = Math.trunc((time - now) / 1000);
  if (seconds > 0) return `in ${span(seconds)}`;
  return seconds === 0 ? "now" : `${span(-seconds)} ago`;
}

/** As the server words it: two units at most, cut off rather than rounded. */
function span(seconds) {
  const minutes = Math.floor(seconds / 60), hours = Math.floor(seconds / 3600), days = Math.floor(seconds / 86400);
  if (minutes < 1) return `${seconds} s`;
  if (hours < 1) return `${minutes} min`;
  if (days < 2) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
}
