import { Link } from "@tanstack/react-router";
import classes from "./pages/AdminPage.module.css";

const TABS = [
  { to: "/models", label: "Machines" },
  { to: "/rollouts", label: "Rollouts" },
] as const;

/** Between what was learned of the machines and how it takes over. */
export function ModelTabs() {
  return (
    <nav className={classes.tabs} aria-label="Models">
      {TABS.map(({ to, label }) => (
        <Link key={to} to={to} className={classes.tab} activeOptions={{ exact: true }}>
          {label}
        </Link>
      ))}
    </nav>
  );
}
