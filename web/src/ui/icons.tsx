import type { ReactNode, SVGProps } from "react";

type IconProps = SVGProps<SVGSVGElement> & { size?: number };

function stroke(paths: ReactNode) {
  return function Icon({ size = 18, ...rest }: IconProps) {
    return (
      <svg
        width={size}
        height={size}
        viewBox="0 0 24 24"
        fill="none"
        stroke="currentColor"
        strokeWidth={1.8}
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
        {...rest}
      >
        {paths}
      </svg>
    );
  };
}

export const IconList = stroke(<path d="M8 6h13M8 12h13M8 18h13M3.5 6h.01M3.5 12h.01M3.5 18h.01" />);
export const IconBell = stroke(<path d="M6 9a6 6 0 1 1 12 0c0 6 2.5 7 2.5 7h-17S6 15 6 9M10 20a2.2 2.2 0 0 0 4 0" />);
export const IconGauge = stroke(<path d="M4 18a9 9 0 1 1 16 0M12 14l4-5M7 18h10" />);
export const IconModel = stroke(<path d="M3 17c3 0 4-10 7-10s3 7 5 7 2-4 6-4M3 21h18" />);
export const IconSearch = stroke(<path d="M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14M16.5 16.5 21 21" />);
export const IconUser = stroke(<path d="M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8M4.5 20.5a7.5 7.5 0 0 1 15 0" />);
export const IconKeyboard = stroke(<path d="M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M8 14h8" />);
export const IconChart = stroke(<path d="M3 20h18M4 15l4-5 4 3 7-8" />);
export const IconTable = stroke(<path d="M3 5h18v14H3zM3 10h18M9 10v9M15 10v9" />);
export const IconDownload = stroke(<path d="M12 4v11M7 11l5 5 5-5M4 20h16" />);
export const IconClock = stroke(<path d="M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7v5l3.5 2" />);
export const IconRetry = stroke(<path d="M20 11a8 8 0 1 0-2.3 6.3M20 5v6h-6" />);
export const IconPlay = stroke(<path d="M7 4.5v15l12-7.5z" />);
export const IconStop = stroke(<path d="M6 6h12v12H6z" />);
export const IconCheck = stroke(<path d="m5 12.5 4.5 4.5L19 7.5" />);
export const IconDown = stroke(<path d="m6 9 6 6 6-6" />);
export const IconSun = stroke(<path d="M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v2M12 20v2M4.9 4.9l1.4 1.4M17.7 17.7l1.4 1.4M2 12h2M20 12h2M4.9 19.1l1.4-1.4M17.7 6.3l1.4-1.4" />);
export const IconMoon = stroke(<path d="M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5" />);
export const IconMore = stroke(<path d="M5 12h.01M12 12h.01M19 12h.01" strokeWidth={3} />);
export const IconClose = stroke(<path d="M6 6l12 12M18 6 6 18" />);
export const IconPlus = stroke(<path d="M12 5v14M5 12h14" />);
