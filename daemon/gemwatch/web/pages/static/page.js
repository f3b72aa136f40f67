// Brings the page to life: it shows the reader's own time, and follows what happens without being loaded again.

import { offerCopies } from "./copy.js";
import { follow } from "./follow.js";
import { showTimes, tick } from "./times.js";

showTimes(document);
offerCopies(document);
setInterval(() => tick(document), 1000);
if (document.body.dataset.events) {
  follow(document.body.dataset.events);
}
