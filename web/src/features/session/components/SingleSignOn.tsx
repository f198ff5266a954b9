import { Button } from "@mantine/core";
import { useEffect, useState } from "react";
import { client } from "@/api/client";

/** A link, not a request: the provider wants the browser's window. Nothing where there is no provider. */
export function SingleSignOn() {
  const [button, setButton] = useState<string | null>(null);
  useEffect(() => {
    let here = true;
    client
      .GET("/api/v1/session/options")
      .then(({ data }) => {
        if (here) setButton(data?.single_sign_on?.button ?? null);
      })
      .catch(() => undefined);
    return () => {
      here = false;
    };
  }, []);
  if (button === null) return null;
  const asked = window.location.pathname === "/sign-in" ? "/" : window.location.pathname + window.location.search;
  return (
    <Button
      component="a"
      href={`/api/v1/session/single-sign-on?return_to=${encodeURIComponent(asked)}`}
      variant="default"
      size="md"
      fullWidth
      mt="md"
    >
      {button}
    </Button>
  );
}
