import { ActionIcon, Popover, TextInput, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { spotlight } from "@mantine/spotlight";
import { useQuery } from "@tanstack/react-query";
import { Link, useMatchRoute } from "@tanstack/react-router";
import { assetsQuery } from "@/features/assets/api/assets";
import { IconMoon, IconSearch, IconSun, IconUser } from "@/ui/icons";
import { setOperator, useOperator } from "@/ui/operator";
import { DataAge } from "./DataAge";
import classes from "./Shell.module.css";

export function Header() {
  return (
    <header className={classes.header}>
      <Breadcrumb />
      <DataAge />
      <button type="button" className={classes.search} onClick={spotlight.open}>
        <IconSearch size={15} />
        <span className={classes.word}>Search</span>
        <kbd className={`key ${classes.hint}`} aria-hidden="true">Ctrl K</kbd>
      </button>
      <SchemeSwitch />
      <Operator />
    </header>
  );
}

const NAMES = { "/": "Worklist", "/alarms": "Alarms", "/admin": "Admin" } as const;

/** Enterprise / site / area / line / machine (ISA-95), or the page's name below the plant. */
function Breadcrumb() {
  const { data } = useQuery(assetsQuery);
  const matchRoute = useMatchRoute();
  const asset = matchRoute({ to: "/assets/$id" });
  const found = asset ? data?.assets.find((a) => a.id === asset.id) : undefined;
  const plant = data?.assets[0]?.path.slice(0, 2) ?? [];
  const steps = found ? found.path : plant;
  const page = (Object.keys(NAMES) as (keyof typeof NAMES)[]).find((to) => matchRoute({ to }));
  const here = asset ? (found?.name ?? asset.id) : page ? NAMES[page] : "";
  return (
    <nav className={classes.crumbs} aria-label="Place in the plant">
      <ol>
        {steps.map((step, i) => (
          <li key={`${i}${step}`} className={classes.step}>
            {i >= 2 ? (
              <Link to="/" search={{ q: step }}>
                {step}
              </Link>
            ) : (
              <Link to="/">{step}</Link>
            )}
          </li>
        ))}
        <li aria-current="page" className={classes.here}>
          {here}
        </li>
      </ol>
    </nav>
  );
}

function SchemeSwitch() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("light") === "dark";
  return (
    <ActionIcon
      variant="subtle"
      size={32}
      className={classes.tool}
      aria-label={dark ? "Light colours" : "Dark colours"}
      onClick={() => setColorScheme(dark ? "light" : "dark")}
    >
      {dark ? <IconSun /> : <IconMoon />}
    </ActionIcon>
  );
}

function Operator() {
  const name = useOperator();
  return (
    <Popover position="bottom-end" shadow="md" trapFocus returnFocus>
      <Popover.Target>
        <ActionIcon variant="subtle" size={32} className={classes.tool} aria-label={name ? `You are ${name}` : "Say who you are"}>
          <IconUser />
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown>
        <TextInput
          label="Your name in the journal"
          placeholder="operator"
          defaultValue={name}
          onBlur={(e) => setOperator(e.currentTarget.value)}
        />
      </Popover.Dropdown>
    </Popover>
  );
}
