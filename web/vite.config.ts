import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const api = process.env.FOREWARN_API ?? "http://127.0.0.1:8080";

/** The build lands inside the Python package, which serves it; the manifest feeds the size budget. */
export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    outDir: "../src/forewarn/static",
    emptyOutDir: true,
    // Not `assets`: that is the address of the machines' pages.
    assetsDir: "static",
    manifest: true,
    target: "es2022",
    assetsInlineLimit: 2048,
  },
  server: { proxy: { "/api": api } },
});
