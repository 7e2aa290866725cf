// Pictures of pages, by a real browser that is told over its own protocol how wide its screen is.
// Needs nothing but Node and Chromium.
//
//   node shoot.mjs FOLDER-WITH-PAGES FOLDER-FOR-PICTURES
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [pages, pictures] = process.argv.slice(2);
// What is shown, in which page for which width, and how much of it.
const SHOTS = [
  { name: "demo", page: (width) => `demo-${width > 600 ? 80 : 44}.html`, whole: true },
  { name: "report", page: () => "report.html", heights: { 1280: 1600, 390: 1700 } },
  { name: "report-dark", page: () => "report.html", heights: { 1280: 1600, 390: 1700 }, dark: true },
  { name: "report-checks", page: () => "report.html", heights: { 1280: 900, 390: 1200 }, at: "#verify" },
  { name: "report-whole", page: () => "report.html", whole: true },
  { name: "period", page: () => "period.html", heights: { 1280: 2300, 390: 2300 } },
  { name: "period-dark", page: () => "period.html", heights: { 1280: 2300, 390: 2300 }, dark: true },
  { name: "plan", page: () => "plan.html", heights: { 1280: 1600, 390: 1700 } },
];
const WIDTHS = [1280, 390];
// A page of many screens would make a picture that nobody opens.
const HIGH_MAX = 12000;

const profile = mkdtempSync(join(tmpdir(), "sealift-browser-"));
const browser = spawn(
  process.env.CHROMIUM ?? "chromium",
  ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb",
    "--font-render-hinting=none", "--disable-lcd-text", "--no-first-run", "--remote-debugging-pipe",
    `--user-data-dir=${profile}`, "about:blank"],
  { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
);

let last = 0;
let rest = "";
const waiting = new Map();
const events = [];
browser.stdio[4].on("data", (data) => {
  rest += data;
  for (let end = rest.indexOf("\0"); end >= 0; end = rest.indexOf("\0")) {
    const message = JSON.parse(rest.slice(0, end));
    rest = rest.slice(end + 1);
    if (message.id) {
      const { done, failed } = waiting.get(message.id);
      waiting.delete(message.id);
      message.error ? failed(new Error(message.error.message)) : done(message.result);
    } else {
      for (const event of events) event(message);
    }
  }
});

const send = (method, params = {}, sessionId = undefined) =>
  new Promise((done, failed) => {
    const id = ++last;
    waiting.set(id, { done, failed });
    browser.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
  });

const loaded = (session) =>
  new Promise((done) => {
    events.push(({ method, sessionId }) => {
      if (method === "Page.loadEventFired" && sessionId === session) done();
    });
  });

async function shoot({ name, page, whole, heights, dark, at }, width) {
  const { targetId } = await send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
  const tell = (method, params) => send(method, params, sessionId);
  await tell("Page.enable");
  const screen = (height) =>
    tell("Emulation.setDeviceMetricsOverride", {
      width, height, deviceScaleFactor: 1, mobile: width < 600, screenWidth: width, screenHeight: height,
    });
  await screen(900);
  await tell("Emulation.setEmulatedMedia", {
    features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }],
  });
  const ready = loaded(sessionId);
  await tell("Page.navigate", { url: pathToFileURL(join(pages, page(width))).href });
  await ready;
  const measure = `JSON.stringify([document.documentElement.scrollWidth, document.documentElement.scrollHeight,
    [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
      .slice(0, 3).map((e) => e.tagName + "." + e.className),
    ${at ? `document.querySelector("${at}").offsetTop` : 0}])`;
  const { result } = await tell("Runtime.evaluate", {
    // A page that checks itself is asked when it is done.
    expression: `(async () => { await document.fonts.ready;
      for (let i = 0; i < 100 && document.querySelector("#checks:not([data-done])"); i++)
        await new Promise((done) => setTimeout(done, 50));
      return ${measure}; })()`,
    awaitPromise: true,
  });
  const [wide, high, over, top] = JSON.parse(result.value);
  if (wide > width) console.error(`shoot: ${name} is ${wide} wide on a screen of ${width}: ${over}`);
  const height = Math.min(whole ? high : Math.min(heights[width], high), HIGH_MAX);
  await screen(top + height);
  const { data } = await tell("Page.captureScreenshot", {
    format: "png", clip: { x: 0, y: top, width, height, scale: 1 },
  });
  writeFileSync(join(pictures, `${name}-${width}.png`), Buffer.from(data, "base64"));
  await send("Target.closeTarget", { targetId });
}

try {
  for (const shot of SHOTS) for (const width of WIDTHS) await shoot(shot, width);
} finally {
  browser.kill();
  await new Promise((done) => browser.once("exit", done));
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
}
process.exit(0);
