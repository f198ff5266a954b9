import { useQuery } from "@tanstack/react-query";
import { Link, useMatchRoute } from "@tanstack/react-router";
import { useMay } from "@/api/use-session";
import { assetsQuery } from "@/features/assets/api/assets";
import { commonPath } from "@/features/assets/order";
import { ADMIN_PAGES } from "./admin-pages";
import classes from "./Shell.module.css";

const NAMES = { "/": "Worklist", "/alarms": "Alarms", "/models": "Models", "/rollouts": "Rollouts" } as const;

/** Enterprise / site / area / line / machine (ISA-95); above the machines, what all of them have in common. */
export function Breadcrumb() {
  const { data } = useQuery({ ...assetsQuery, enabled: useMay("plant.read") });
  const matchRoute = useMatchRoute();
  const asset = matchRoute({ to: "/assets/$id" });
  const model = matchRoute({ to: "/models/$id" });
  const found = asset ? data?.assets.find((a) => a.id === asset.id) : undefined;
  const steps = found ? found.path : commonPath(data?.assets ?? []);
  const page = (Object.keys(NAMES) as (keyof typeof NAMES)[]).find((to) => matchRoute({ to }));
  const tab = ADMIN_PAGES.find(({ to }) => matchRoute({ to }));
  const gateway = matchRoute({ to: "/admin/gateways/$name" });
  const nameOf = (id: string): string => data?.assets.find((a) => a.id === id)?.name ?? id;
  const here = model ? `Model of ${nameOf(model.id)}` : gateway ? gateway.name : asset ? (found?.name ?? asset.id) : page ? NAMES[page] : tab ? adminName(tab) : "No such page";
  return (
    <nav className={classes.crumbs} aria-label="Place in the plant">
      <title>{`${here} · Forewarn`}</title>
      <ol>
        {steps.map((step, i) => (
          <li key={`${i}${step}`} className={classes.step}>
            <Link to="/" search={i ? { q: steps.slice(1, i + 1).join(" ") } : {}}>
              {step}
            </Link>
          </li>
        ))}
        <li aria-current="page" className={classes.here}>
          {here}
        </li>
      </ol>
    </nav>
  );
}

function adminName({ to, label }: (typeof ADMIN_PAGES)[number]): string {
  return to === "/admin" ? "Admin" : label;
}
