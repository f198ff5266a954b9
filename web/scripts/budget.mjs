// First-load JavaScript, gzip: the entry, what it imports at once, and the worklist page the address `/` loads.
import { existsSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET_KB = 260;
const FIRST_PAGE = "src/app/pages/WorklistPage.tsx";
const out = new URL("../../src/forewarn/static/", import.meta.url);
const manifestPath = new URL(".vite/manifest.json", out);

if (!existsSync(manifestPath)) {
  console.error("no build found; run `npm run build` first");
  process.exit(2);
}
const manifest = JSON.parse(readFileSync(manifestPath, "utf8"));

function collect(key, seen) {
  if (seen.has(key)) return seen;
  seen.add(key);
  for (const next of manifest[key].imports ?? []) collect(next, seen);
  return seen;
}

const keys = collect("index.html", new Set());
if (manifest[FIRST_PAGE]) collect(FIRST_PAGE, keys);
let total = 0;
for (const key of keys) {
  const { file } = manifest[key];
  const kb = gzipSync(readFileSync(new URL(file, out)), { level: 9 }).length / 1024;
  total += kb;
  console.log(`${kb.toFixed(1).padStart(8)} KB  ${file}`);
}
console.log(`${total.toFixed(1).padStart(8)} KB  first load, gzip (budget ${BUDGET_KB})`);
if (total > BUDGET_KB) {
  console.error(`over the budget by ${(total - BUDGET_KB).toFixed(1)} KB: load something later (lazy route)`);
  process.exit(1);
}
