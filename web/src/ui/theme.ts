import { createTheme, type CSSVariablesResolver } from "@mantine/core";

/** Slate, from which every neutral control is drawn; saturated colour belongs to abnormal states alone. */
const SLATE = [
  "#f3f5f8", "#e4e8ee", "#c6d0dc", "#a5b6c9", "#88a0b9", "#7591ae", "#5a7796", "#47617d", "#35506c", "#2a4159",
] as const;

/** Mantine's dark greys in the page's own hue. */
const DARK = [
  "#e4e8ec", "#c3cad2", "#a3adb8", "#7d8894", "#3d454d", "#2f363d", "#24292e", "#1c2024", "#171a1e", "#121518",
] as const;

export const theme = createTheme({
  primaryColor: "slate",
  primaryShade: { light: 8, dark: 6 },
  autoContrast: true,
  luminanceThreshold: 0.32,
  colors: { slate: SLATE, dark: DARK },
  fontFamily: '"Inter Variable", system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif',
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "18px" },
  defaultRadius: 6,
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    Button: { defaultProps: { size: "xs" } },
    TextInput: { defaultProps: { size: "xs" } },
    Select: { defaultProps: { size: "xs" } },
    NumberInput: { defaultProps: { size: "xs" } },
    Textarea: { defaultProps: { size: "xs" } },
    SegmentedControl: { defaultProps: { size: "xs" } },
    Tooltip: { defaultProps: { openDelay: 300, withArrow: true } },
  },
});

/** Mantine's own surfaces follow the page's, and its dimmed and placeholder texts reach AA contrast on them. */
export const cssVariables: CSSVariablesResolver = () => {
  const shared = {
    "--mantine-color-body": "var(--surface)",
    "--mantine-color-text": "var(--text)",
    "--mantine-color-dimmed": "var(--text-muted)",
    "--mantine-color-placeholder": "var(--text-muted)",
    "--mantine-color-default": "var(--surface)",
    "--mantine-color-default-hover": "var(--surface-2)",
    "--mantine-color-default-border": "var(--border-strong)",
    "--mantine-color-default-color": "var(--text)",
    "--mantine-color-error": "var(--critical)",
    "--mantine-color-anchor": "var(--accent)",
  };
  return { variables: {}, light: shared, dark: shared };
};
