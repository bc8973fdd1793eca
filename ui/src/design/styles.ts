/** What every page begins with. Mantine's own style sheets come with Mantine, in mantine.ts: the form's text field needs none. */
import "@mantine/core/styles/baseline.css";
import "./variables.css";
import "./base.css";
