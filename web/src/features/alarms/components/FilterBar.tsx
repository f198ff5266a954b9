import { Select, TextInput } from "@mantine/core";
import { IconSearch } from "@/ui/icons";
import { sentence } from "@/ui/format";
import { type AlarmFilter, PRIORITIES, STATES } from "../order";
import classes from "./AlarmConsole.module.css";

interface FilterBarProps {
  counts: Readonly<Record<string, number>>;
  filter: AlarmFilter;
  /** Offer to choose a machine; pointless where all alarms are of one. */
  machines: boolean;
  onFilter: (change: AlarmFilter) => void;
}

const PRESENT_STATES = ["unacknowledged", "acknowledged", "returned"];

/** Which alarms are listed; every state shows how many there are. */
export function FilterBar({ counts, filter, machines, onFilter }: FilterBarProps) {
  const present = PRESENT_STATES.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
  const choices: { state: string | undefined; label: string; n: number }[] = [
    { state: undefined, label: "Present", n: present },
    ...STATES.map((state) => ({ state, label: sentence(state), n: counts[state] ?? 0 })),
  ];
  return (
    <div className={classes.filters}>
      <div className={classes.states} role="group" aria-label="State">
        {choices.map(({ state, label, n }) => (
          <button
            key={label}
            type="button"
            className={classes.chip}
            aria-pressed={filter.state === state}
            onClick={() => onFilter({ state })}
          >
            {label} <span className="num">{n}</span>
          </button>
        ))}
      </div>
      <div className={classes.selects}>
        <Select
          aria-label="Priority"
          placeholder="Any priority"
          clearable
          w={140}
          value={filter.priority ?? null}
          onChange={(value) => onFilter({ priority: value ?? undefined })}
          data={PRIORITIES.map((p) => ({ value: p, label: sentence(p) }))}
        />
        {machines ? (
          <TextInput
            aria-label="Machine"
            placeholder="Machine…"
            leftSection={<IconSearch size={14} />}
            value={filter.asset ?? ""}
            onChange={(e) => onFilter({ asset: e.currentTarget.value || undefined })}
          />
        ) : null}
      </div>
    </div>
  );
}
