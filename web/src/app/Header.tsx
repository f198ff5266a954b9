import { ActionIcon, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { spotlight } from "@mantine/spotlight";
import { PersonMenu } from "@/features/session/components/PersonMenu";
import { IconMoon, IconSearch, IconSun } from "@/ui/icons";
import { Breadcrumb } from "./Breadcrumb";
import { Clock } from "./Clock";
import { DataAge } from "./DataAge";
import classes from "./Shell.module.css";

export function Header() {
  return (
    <header className={classes.header}>
      <Breadcrumb />
      <Clock />
      <DataAge />
      <button type="button" className={classes.search} onClick={spotlight.open}>
        <IconSearch size={15} />
        <span className={classes.word}>Search</span>
        <kbd className={`key ${classes.hint}`} aria-hidden="true">Ctrl K</kbd>
      </button>
      <SchemeSwitch />
      <PersonMenu />
    </header>
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
