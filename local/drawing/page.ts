export interface Page {
  readonly title: string;
  /** What this page has beside the common style. */
  readonly style: string;
  /** HTML. */
  readonly body: string;
}

/** One page that needs nothing else: no script, and a policy that has browsers load nothing. */
export function htmlPage({ title, style, body }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${COLORS}${STYLE}${style}</style>
</head>
<body>
${body}
</body>
</html>
`;
}

/** Text that stands in HTML or SVG, also in an attribute. */
export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

/** By what the reader prefers. */
export const COLORS = `
:root{--back:#f6f7f9;--box:#fff;--text:#1c2430;--muted:#5b6676;--line:#d9dee5;--bad:#b42318;--good:#0f7b4d}
@media (prefers-color-scheme:dark){:root{--back:#11151b;--box:#191f27;--text:#e4e8ee;--muted:#98a4b3;--line:#303945;--bad:#ff8a7a;--good:#4cc38a}}
`;

const STYLE = `
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:110rem;background:var(--back);color:var(--text);font:15px/1.45 system-ui,sans-serif}
h1{font-size:1.4rem;margin:0}h2{margin:2.5rem 0 0;font-size:1.25rem}h3{margin:1.5rem 0 .5rem;font-size:1rem;color:var(--muted)}
h4{margin:0;font-size:.95rem}p{margin:.25rem 0}a{color:inherit}
nav{display:flex;flex-wrap:wrap;gap:.35rem 1rem;margin-top:.5rem}
article{background:var(--box);border:1px solid var(--line);border-radius:.5rem;padding:.75rem;min-width:0}
.description{color:var(--muted);font-size:.8rem}
svg{display:block;width:100%;height:auto;margin-top:.5rem}
.figure{font-size:1.8rem;font-weight:600}
.problem{color:var(--bad)}
code{display:block;margin-top:.25rem;font-size:.75rem;overflow-wrap:anywhere;color:var(--muted)}
summary{cursor:pointer;font-size:.75rem;color:var(--muted);margin-top:.25rem}
.legend{display:flex;flex-wrap:wrap;gap:.1rem .9rem;margin:.4rem 0 0;padding:0;list-style:none;font-size:.8rem}
.legend li{overflow-wrap:anywhere}.legend i{display:inline-block;width:.8rem;height:.2rem;margin-right:.35rem;vertical-align:middle}
`;
