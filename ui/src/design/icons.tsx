/**
 * The symbols, drawn with one stroke like the mark. They say nothing to a screen reader: the words beside them do.
 */
import type { ReactNode, SVGProps } from "react";

export type IconProps = SVGProps<SVGSVGElement> & { size?: number };

function icon(paths: ReactNode) {
  return function Icon({ size = 18, ...props }: IconProps) {
    return (
      <svg
        viewBox="0 0 24 24"
        width={`${size / 16}rem`}
        height={`${size / 16}rem`}
        fill="none"
        stroke="currentColor"
        strokeWidth={1.75}
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
        focusable="false"
        {...props}
      >
        {paths}
      </svg>
    );
  };
}

/** The mark: a thread with a small knot. */
export const Knot = icon(
  <path d="M2 15c4 0 6 0 8.500-2.500 2-2 1.500-5.500-1-5.500S7 10.500 9 12.500 13.500 15 22 15" />,
);
export const ThreadPaused = icon(<path d="M2 15h20M10 6v5M14 6v5" />);
export const ThreadBroken = icon(<path d="M2 15h6l1.500-2.500M22 15h-6l-1.500 2.500" />);
export const KnotDot = icon(
  <>
    <path d="M2 15c4 0 6 0 8.500-2.500 2-2 1.500-5.500-1-5.500S7 10.500 9 12.500 13.500 15 22 15" />
    <circle cx="19" cy="6" r="2.500" fill="currentColor" stroke="none" />
  </>,
);

export const Pointer = icon(<path d="M5 3.500 19 11l-6.200 1.800L10.500 19z" />);
export const Crop = icon(<path d="M7 2v15h15M2 7h15v15" />);
export const Arrow = icon(<path d="M5 19 19 5M10 5h9v9" />);
export const Box = icon(<rect x="4" y="5" width="16" height="14" rx="1" />);
export const Highlight = icon(
  <>
    <path d="m9 11 6-7 5 4.500-6 7H9z" />
    <path d="m9 15.500-2.500 3M3 21h18" />
  </>,
);
export const Hide = icon(
  <>
    <rect x="3" y="8" width="18" height="8" rx="1" fill="currentColor" />
    <path d="M3 4h4M17 4h4M3 20h4M17 20h4" />
  </>,
);
export const Undo = icon(<path d="M8 5 4 9l4 4M4 9h10a6 6 0 0 1 0 12h-3" />);
export const Redo = icon(<path d="m16 5 4 4-4 4M20 9H10a6 6 0 0 0 0 12h3" />);
export const Trash = icon(<path d="M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5" />);
export const Camera = icon(
  <>
    <path d="M3 8h4l2-3h6l2 3h4v11H3z" />
    <circle cx="12" cy="13" r="3.500" />
  </>,
);
export const Picture = icon(
  <>
    <rect x="3" y="5" width="18" height="14" rx="1.500" />
    <path d="m3 16 5-5 4 4 3-3 6 5" />
  </>,
);
export const Lock = icon(
  <>
    <rect x="5" y="11" width="14" height="9" rx="1.500" />
    <path d="M8 11V8a4 4 0 0 1 8 0v3" />
  </>,
);
export const Check = icon(<path d="m4.500 12.500 5 5 10-11" />);
export const Warning = icon(<path d="M12 4 2.500 20h19zM12 10v4.500M12 17.200v.1" />);
export const Info = icon(
  <>
    <circle cx="12" cy="12" r="9" />
    <path d="M12 11v5M12 7.800v.1" />
  </>,
);
export const Left = icon(<path d="m14.500 5-7 7 7 7" />);
export const Right = icon(<path d="m9.500 5 7 7-7 7" />);
export const Down = icon(<path d="m5 9.500 7 7 7-7" />);
export const Search = icon(
  <>
    <circle cx="10.500" cy="10.500" r="6.500" />
    <path d="m15.500 15.500 5 5" />
  </>,
);
export const Export = icon(<path d="M12 15V4M8 8l4-4 4 4M4 15v5h16v-5" />);
export const Click = icon(<path d="m10 10 9 4-4 1.500L13.500 20zM7 4v2M4 7h2M4.800 4.800l1.400 1.400" />);
export const Screen = icon(
  <>
    <rect x="3" y="4" width="18" height="12" rx="1.500" />
    <path d="M9 20h6M12 16v4" />
  </>,
);
export const Clock = icon(
  <>
    <circle cx="12" cy="12" r="9" />
    <path d="M12 7v5l3.500 2" />
  </>,
);
export const Bug = icon(
  <path d="M12 3v4M12 12v.1M5 9l3 2M19 9l-3 2M5 20l3-3M19 20l-3-3M4 14.500h4M16 14.500h4M8 12a4 4.500 0 0 1 8 0v4a4 4 0 0 1-8 0z" />,
);
export const Keyboard = icon(
  <>
    <rect x="2.500" y="6" width="19" height="12" rx="1.500" />
    <path d="M6.500 10h.1M10 10h.1M14 10h.1M17.500 10h.1M8 14h8" />
  </>,
);
export const Text = icon(<path d="M5 6V4h14v2M12 4v16M9 20h6" />);
export const PictureOff = icon(<path d="M3 3l18 18M9 5h12v12M3 7v12h14M3 16l5-5 6 6" />);
export const Person = icon(
  <>
    <circle cx="12" cy="8" r="4" />
    <path d="M4.500 21a7.500 7.500 0 0 1 15 0" />
  </>,
);
export const People = icon(
  <>
    <circle cx="9" cy="8.500" r="3.500" />
    <path d="M2.500 20a6.500 6.500 0 0 1 13 0M15.500 5.300a3.500 3.500 0 0 1 0 6.400M18 14.300a6.500 6.500 0 0 1 3.500 5.700" />
  </>,
);
export const Server = icon(
  <>
    <rect x="3.500" y="4" width="17" height="7" rx="1.500" />
    <rect x="3.500" y="13" width="17" height="7" rx="1.500" />
    <path d="M7 7.500h.1M7 16.500h.1" />
  </>,
);
export const Eye = icon(
  <>
    <path d="M2 12c2.500-4.500 6-6.500 10-6.500s7.500 2 10 6.500c-2.500 4.500-6 6.500-10 6.500S4.500 16.500 2 12z" />
    <circle cx="12" cy="12" r="2.800" />
  </>,
);
export const Hash = icon(<path d="M9 4 7 20M17 4l-2 16M4 9h17M3 15h17" />);
export const Close = icon(<path d="m6 6 12 12M18 6 6 18" />);

/** The five faces of a rating: by the mouth alone, in one colour, so that none of them is a verdict. */
const MOUTHS = [
  "M8 17c1-2.500 7-2.500 8 0",
  "M8.500 16.500c1-1.300 6-1.300 7 0",
  "M8.500 15.500h7",
  "M8.500 15c1 1.300 6 1.300 7 0",
  "M7.500 14c1 4 8 4 9 0z",
];

export function Face({ value, size = 26 }: { value: 1 | 2 | 3 | 4 | 5; size?: number }) {
  return (
    <svg
      viewBox="0 0 24 24"
      width={`${size / 16}rem`}
      height={`${size / 16}rem`}
      fill="none"
      stroke="currentColor"
      strokeWidth={1.6}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <circle cx="12" cy="12" r="9.500" />
      <path d="M8.800 9.300v.9M15.200 9.300v.9" />
      <path d={MOUTHS[value - 1]} />
    </svg>
  );
}
