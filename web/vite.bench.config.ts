import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

/** The chart harness that benchmarks/page.py drives; it is no part of the product. */
export default defineConfig({
  root: "bench",
  base: "./",
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: { outDir: "../dist/bench", emptyOutDir: true, target: "es2022" },
});
