import { Button, Loader, SegmentedControl } from "@mantine/core";
import { useMay } from "@/api/use-session";
import { formatTime } from "@/ui/format";
import { IconChart, IconPlay, IconTable } from "@/ui/icons";
import { RANGES, type TimeChoice } from "@/ui/time-range";
import { ExportButton } from "./ExportButton";
import classes from "./RangeBar.module.css";
import type { TrendSearch } from "./TrendPanel";

interface RangeBarProps {
  choice: TimeChoice;
  range: string | undefined;
  table: boolean;
  loading: boolean;
  signals: readonly string[];
  window: { from: number; to: number };
  onSearch: (change: TrendSearch) => void;
}

/** Which time is shown and in which form. */
export function RangeBar({ choice, range, table, loading, signals, window, onSearch }: RangeBarProps) {
  const mayExport = useMay("readings.export");
  const isLive = choice.kind === "live";
  const freeze = (): void => onSearch({ from: Math.round(window.from), to: Math.round(window.to) });
  const follow = (): void => onSearch({ from: undefined, to: undefined });
  return (
    <div className={classes.bar}>
      {loading ? <Loader size={14} aria-label="Loading readings" /> : null}
      {isLive ? null : (
        <span className={`${classes.window} num`}>
          {formatTime(window.from)} – {formatTime(window.to)}
        </span>
      )}
      <SegmentedControl
        aria-label="Time range"
        value={isLive ? choice.range : ""}
        onChange={(value) => onSearch({ range: value, from: undefined, to: undefined })}
        data={[...RANGES]}
      />
      <Button
        variant={isLive ? "filled" : "default"}
        aria-pressed={isLive}
        leftSection={<IconPlay size={13} />}
        onClick={isLive ? freeze : follow}
        title={isLive ? "Stop following; keep this window" : `Follow the last ${range ?? "1h"} again`}
      >
        Live
      </Button>
      <Button
        variant="default"
        aria-pressed={table}
        leftSection={table ? <IconChart size={14} /> : <IconTable size={14} />}
        onClick={() => onSearch({ view: table ? undefined : "table" })}
      >
        {table ? "Charts" : "Table"}
      </Button>
      {mayExport ? <ExportButton signals={signals} window={window} /> : null}
    </div>
  );
}
