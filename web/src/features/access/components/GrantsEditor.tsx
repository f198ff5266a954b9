import { ActionIcon, Button, Select } from "@mantine/core";
import type { Grant, RoleName, Roles } from "@/api/types";
import { sentence } from "@/ui/format";
import { IconClose, IconPlus } from "@/ui/icons";
import { placeWords } from "../words";
import classes from "./Access.module.css";

interface GrantsEditorProps {
  grants: readonly Grant[];
  roles: Roles;
  /** The roles to choose from; with one alone only the place is asked. */
  choices: readonly RoleName[];
  onChange: (grants: Grant[]) => void;
}

/** A Select takes no empty value; no part of a path holds a star. */
const EVERYWHERE = "*";

/** Roles, each with the part of the plant it counts in. */
export function GrantsEditor({ grants, roles, choices, onChange }: GrantsEditorProps) {
  const single = choices.length === 1;
  const places = [...new Set([...roles.paths, ...grants.map(({ path = "" }) => path)])].filter(Boolean).sort();
  const set = (at: number, change: Partial<Grant>): void => onChange(grants.map((g, i) => (i === at ? { ...g, ...change } : g)));
  const lost = grants.filter(({ role, path }) => path && roles.roles.find((r) => r.role === role)?.site_wide);
  return (
    <fieldset className={classes.editor}>
      <legend className={classes.legend}>{single ? "Where it may send readings" : "Roles, and where they count"}</legend>
      {grants.length === 0 ? <p className={classes.note}>None: {single ? "it may send nothing." : "this person sees nothing."}</p> : null}
      {grants.map(({ role, path = "" }, at) => (
        <div key={at} className={classes.grant} data-single={single || undefined}>
          {single ? null : (
            <Select
              className={classes.role}
              aria-label={`Role ${at + 1}`}
              allowDeselect={false}
              value={role}
              onChange={(value) => value && set(at, { role: value as RoleName })}
              data={choices.map((value) => ({ value, label: sentence(value) }))}
            />
          )}
          <Select
            className={classes.place}
            aria-label={`Place ${at + 1}`}
            allowDeselect={false}
            searchable
            value={path || EVERYWHERE}
            onChange={(value) => value && set(at, { path: value === EVERYWHERE ? "" : value })}
            data={[EVERYWHERE, ...places].map((value) => ({ value, label: placeWords(value === EVERYWHERE ? "" : value) }))}
            nothingFoundMessage="No part of the plant has this name"
          />
          <ActionIcon
            className={classes.remove}
            variant="subtle"
            size={30}
            color="gray"
            aria-label={`Remove ${single ? placeWords(path) : sentence(role)}`}
            onClick={() => onChange(grants.filter((_, i) => i !== at))}
          >
            <IconClose size={15} />
          </ActionIcon>
        </div>
      ))}
      <div>
        <Button
          variant="default"
          leftSection={<IconPlus size={14} />}
          onClick={() => onChange([...grants, { role: choices[0] ?? "auditor", path: "" }])}
        >
          {single ? "Add a place" : "Add a role"}
        </Button>
      </div>
      {lost.length && !single ? (
        <p className={classes.note}>
          {[...new Set(lost.map(({ role }) => sentence(role)))].join(", ")}: what concerns the whole site comes with this role only
          everywhere.
        </p>
      ) : null}
    </fieldset>
  );
}
