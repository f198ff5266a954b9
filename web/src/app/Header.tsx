import { ActionIcon, Popover, TextInput, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { spotlight } from "@mantine/spotlight";
import { IconMoon, IconSearch, IconSun, IconUser } from "@/ui/icons";
import { setOperator, useOperator } from "@/ui/operator";
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
      <Operator />
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
