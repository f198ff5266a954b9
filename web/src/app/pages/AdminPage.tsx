import { Link, Navigate, Outlet, useMatchRoute } from "@tanstack/react-router";
import { useSession } from "@/api/use-session";
import { Empty } from "@/ui/components/Panel";
import { ADMIN_PAGES, adminPages } from "../admin-pages";
import classes from "./AdminPage.module.css";

/** How the site runs and who may do what on it, each tab for those who may see it. */
export function AdminPage() {
  const { may } = useSession();
  const matchRoute = useMatchRoute();
  const pages = adminPages(may);
  const here = ADMIN_PAGES.find(({ to }) => matchRoute({ to, fuzzy: to !== "/admin" }));
  const first = pages[0];
  const allowed = here === undefined || may(here.needs);
  return (
    <div className={classes.page}>
      <h1 className="sr-only">Administration</h1>
      {pages.length > 1 ? (
        <nav className={classes.tabs} aria-label="Administration">
          {pages.map(({ to, label }) => (
            <Link key={to} to={to} className={classes.tab} activeOptions={{ exact: to === "/admin", includeSearch: false }}>
              {label}
            </Link>
          ))}
        </nav>
      ) : null}
      {allowed ? (
        <Outlet />
      ) : here.to === "/admin" && first ? (
        <Navigate to={first.to} replace />
      ) : (
        <Empty title="This page is not open to you">
          It needs the right {here.needs}. Whoever administers this site can give you a role that has it.
        </Empty>
      )}
    </div>
  );
}
