import js from "@eslint/js";
import { createTypeScriptImportResolver } from "eslint-import-resolver-typescript";
import { importX } from "eslint-plugin-import-x";
import reactHooks from "eslint-plugin-react-hooks";
import { readdirSync } from "node:fs";
import tseslint from "typescript-eslint";

const features = readdirSync(new URL("./src/features", import.meta.url));

/** ui, charts, api -> features (never each other) -> app. */
const zones = [
  { target: ["./src/ui", "./src/charts", "./src/api"], from: ["./src/features", "./src/app"] },
  { target: "./src/api", from: ["./src/ui", "./src/charts"] },
  { target: "./src/ui", from: ["./src/api", "./src/charts"] },
  { target: "./src/charts", from: ["./src/api", "./src/ui/components"] },
  { target: "./src/features", from: "./src/app" },
  ...features.map((name) => ({
    target: `./src/features/${name}`,
    from: "./src/features",
    except: [`./${name}`],
  })),
];

export default tseslint.config(
  { ignores: ["dist", "node_modules", "src/api/schema.ts"] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  {
    files: ["**/*.{ts,tsx}"],
    plugins: { "import-x": importX, "react-hooks": reactHooks },
    settings: { "import-x/resolver-next": [createTypeScriptImportResolver()] },
    rules: {
      ...reactHooks.configs["recommended-latest"]?.rules,
      "import-x/no-cycle": "error",
      "import-x/no-restricted-paths": ["error", { zones, basePath: import.meta.dirname }],
      "max-lines": ["error", { max: 250, skipBlankLines: false, skipComments: false }],
      "@typescript-eslint/no-explicit-any": "error",
    },
  },
  { files: ["scripts/*.mjs", "eslint.config.js"], languageOptions: { globals: { console: "readonly", process: "readonly", URL: "readonly" } } },
);
