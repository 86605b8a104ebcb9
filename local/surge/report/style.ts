/** Where one of a drawing's sizes gives way to the next, in pixels of the screen. */
const BREAKS = { narrow: 560, medium: 900 };

/** What the report has beside the style of all pages. */
export const STYLE = `
body{max-width:70rem}
h1,p,li{overflow-wrap:anywhere}
table+.problem{margin-top:.75rem}
.meta{color:var(--muted)}
.verdict{margin-top:.75rem;padding:.75rem 1rem;background:var(--box);border:1px solid var(--line);border-left:.3rem solid;border-radius:.5rem;font-weight:600}
.good{color:var(--good)}.muted{color:var(--muted)}
.key{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem;margin:.75rem 0}
.key div{background:var(--box);border:1px solid var(--line);border-radius:.5rem;padding:.6rem .75rem}
.key dt,.key dd+dd{color:var(--muted);font-size:.8rem}.key dd{margin:0}
.key dt+dd{font-size:1.6rem;font-weight:600;line-height:1.25;font-variant-numeric:tabular-nums}
article{margin-top:1.5rem}article h2{margin:0}
.scale{display:flex;overflow-wrap:normal;align-items:center;gap:.5rem;margin:.4rem 0 0;font-size:.8rem}
.scale i{width:8rem;height:.7rem;border:1px solid var(--line)}
.legend i.dashed{height:0;border-top:2px dashed;background:none}
table{border-collapse:collapse;width:100%;margin-top:.5rem;font-size:.85rem}
th,td{text-align:left;vertical-align:top;padding:.35rem .75rem .35rem 0;border-bottom:1px solid var(--line)}
th{color:var(--muted);font-weight:500;vertical-align:bottom}
td:first-child{font-weight:500}
.figures th:not(:first-child),.figures td:not(:first-child){text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.figures td:last-child,.figures th:last-child{padding-right:.25rem}
.scroll{overflow-x:auto;background:linear-gradient(to left,var(--back) 60%,transparent) right/3rem 100% no-repeat local,linear-gradient(to left,var(--line),transparent) right/1rem 100% no-repeat scroll}
.badge{display:inline-block;white-space:nowrap;padding:0 .5rem;border:1px solid;border-radius:1rem;font-size:.78rem}
li{margin:.2rem 0}
ul{padding-left:1.2rem}
.medium,.narrow{display:none}
@media (max-width:${BREAKS.medium}px){.wide{display:none}.medium{display:block}}
@media (max-width:${BREAKS.narrow}px){
.medium{display:none}.narrow{display:block}
.key{grid-template-columns:1fr 1fr}.key dt+dd{font-size:1.35rem}
.figures th,.figures td{padding-right:.5rem}
.texts thead{display:none}.texts tr{display:block;padding:.6rem 0;border-bottom:1px solid var(--line)}
.texts td{display:block;border:0;padding:.1rem 0;overflow-wrap:anywhere}
.texts td:first-child{font-weight:600}
.texts td:empty{display:none}
.texts td:not(:first-child):before{content:attr(data-name) ": ";color:var(--muted)}
}
`;
