import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useState } from "react";
import { download } from "@/api/download";
import { exportUrl } from "@/api/series";
import { IconDownload } from "@/ui/icons";

interface ExportButtonProps {
  signals: readonly string[];
  window: { from: number; to: number };
}

/** All readings of the window, as a file. */
export function ExportButton({ signals, window: { from, to } }: ExportButtonProps) {
  const [busy, setBusy] = useState(false);
  async function save(): Promise<void> {
    setBusy(true);
    try {
      await download(exportUrl(signals, from, to), "readings.parquet");
    } catch (cause) {
      notifications.show({
        title: "Nothing was exported",
        message: cause instanceof Error ? cause.message : String(cause),
        withBorder: true,
        closeButtonProps: { "aria-label": "Close" },
      });
    }
    setBusy(false);
  }
  return (
    <Button
      variant="default"
      loading={busy}
      disabled={signals.length === 0}
      onClick={() => void save()}
      title="All readings of this window as a Parquet file"
      leftSection={<IconDownload size={14} />}
    >
      Export
    </Button>
  );
}
