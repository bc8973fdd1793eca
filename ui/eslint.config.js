import js from "@eslint/js";
import a11y from "eslint-plugin-jsx-a11y";
import hooks from "eslint-plugin-react-hooks";
import ts from "typescript-eslint";

export default ts.config(
  { ignores: ["dist", "dist-demo", "src/ipc/bindings"] },
  js.configs.recommended,
  ...ts.configs.strict,
  a11y.flatConfigs.strict,
  hooks.configs.flat.recommended,
  {
    rules: {
      // Focus on the text is what the form is for: a window that the person opened to write in.
      "jsx-a11y/no-autofocus": "off",
      "no-restricted-syntax": [
        "error",
        { selector: "JSXText[value=/[A-Za-z]{2}/]", message: "Words stand in the catalogues of src/locales." },
      ],
      "no-restricted-properties": [
        "error",
        { object: "window", property: "fetch", message: "The windows talk to Rust alone, through src/ipc/client.ts." },
      ],
    },
  },
);
