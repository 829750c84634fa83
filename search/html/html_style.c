/* How the page looks. Colours of lines are Okabe and Ito's, which colour-blind people tell apart. */
#include "search/html/html_page.h"

const char *const html_style[] = {
    ":root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#59636e;--edge:#d8dee4;--tint:#f4f6f8;"
    "--accent:#0b5cad;"
    "--chart-1:var(--ink);--chart-2:var(--edge);--chart-3:#a3acb6;--chart-4:#d55e00;"
    "--chart-8:#0072b2;--chart-9:#009e73;--chart-10:#e69f00;--chart-11:#cc79a7;--chart-12:#56b4e9;"
    "--chart-13:#7a7a7a;--chart-14:#a89a00}\n",
    "@media screen and (prefers-color-scheme:dark){:root{--paper:#14171a;--ink:#e8ebee;--soft:#a4adb6;--edge:#343b42;"
    "--tint:#1d2226;--accent:#79b8f3;--chart-3:#69727b;--chart-4:#ff8534;--chart-8:#4aa3dc;--chart-9:#2cc295;"
    "--chart-10:#f2b632;--chart-11:#e29ac2;--chart-12:#8fd0f5;--chart-13:#9aa2aa;--chart-14:#d8ca3a}}\n",
    "*{box-sizing:border-box}\n",
    "html{-webkit-text-size-adjust:100%}\n",
    "body{margin:0;background:var(--paper);color:var(--ink);"
    "font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',Helvetica,Arial,sans-serif;"
    "overflow-wrap:anywhere}\n",
    "main{max-width:72rem;margin:0 auto;padding:1.5rem 1rem 3rem}\n",
    "h1{font-size:1.9rem;line-height:1.2;margin:0 0 .5rem;letter-spacing:-.01em}\n",
    "h2{font-size:1.4rem;line-height:1.25;margin:0 0 .75rem;letter-spacing:-.01em}\n",
    "h3{font-size:1.05rem;line-height:1.3;margin:0 0 .5rem}\n",
    "p{margin:0 0 .75rem;max-width:46rem}\n",
    "a{color:var(--accent)}\n",
    ".kind{margin:0 0 .25rem;font-size:.8rem;letter-spacing:.08em;text-transform:uppercase;color:var(--soft)}\n",
    ".state{display:inline-block;vertical-align:.2em;font-size:.8rem;font-weight:600;letter-spacing:0;line-height:1.4;"
    "padding:.1em .65em;border:1px solid var(--edge);border-radius:1em;background:var(--tint);color:var(--soft)}\n",
    "nav ul{list-style:none;margin:1rem 0 0;padding:.75rem 1rem;background:var(--tint);border-radius:.5rem}\n",
    "nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.5rem}\n",
    "section{margin-top:2.25rem;padding-top:1.75rem;border-top:1px solid var(--edge)}\n",
    ".lead{font-size:1.25rem;line-height:1.45;max-width:52rem;margin:1rem 0 1.25rem}\n",
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,17rem),1fr));gap:1rem;margin:0 0 "
    "1.25rem}\n",
    ".tiles>div{padding:.9rem 1.1rem;border:1px solid var(--edge);border-radius:.5rem}\n",
    ".tiles dt{font-size:.9rem;line-height:1.35;color:var(--soft)}\n",
    ".tiles dd{margin:0}.tiles dd p{margin:0;font-size:.9rem;line-height:1.5}\n",
    ".tiles .figure{font-size:1.9rem;line-height:1.3;font-weight:600;letter-spacing:-.01em;margin:.15rem 0 .35rem;"
    "font-variant-numeric:tabular-nums}\n",
    ".tiles .figure small{display:inline;font-size:.9rem;letter-spacing:0}\n",
    ".terms{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:1rem "
    "2.5rem;margin:0}\n",
    ".terms dt{font-weight:600}.terms dd{margin:.1rem 0 0;font-size:.95rem;line-height:1.5}\n",
    ".facts{margin:0 0 1.5rem;display:grid;gap:.3rem 1rem}\n",
    ".facts div{display:grid;grid-template-columns:6rem minmax(0,1fr);gap:0 1rem}\n",
    ".facts dt{color:var(--soft)}\n",
    ".facts dd{margin:0}\n",
    ".figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr));gap:2rem 2.5rem;"
    "margin-top:1.75rem;align-items:start}\n",
    "figure,.figures>div{margin:0;min-width:0}.full,.figures>figure:has(details[open]){grid-column:1/"
    "-1}.figures:first-of-type{margin-top:1rem}\n",
    "figcaption,.note{font-size:.9rem;line-height:1.45;color:var(--soft);margin:.5rem 0 .75rem;max-width:42rem}\n",
    ".chart{display:block;width:100%;max-width:40rem;height:auto}\n",
    ".chart text{font-family:inherit;font-variant-numeric:tabular-nums}\n",
    ".legend{list-style:none;margin:.25rem 0 0;padding:0;display:flex;flex-wrap:wrap;gap:.15rem "
    "1rem;font-size:.9rem}\n",
    ".legend li{display:flex;align-items:center;gap:.4rem;min-width:0}\n",
    ".sample{flex:none;width:2.25rem;height:.75rem}\n",
    ".wide{overflow-x:auto;margin:0 0 .75rem;max-width:100%}\n",
    "table{border-collapse:collapse;font-size:.9rem;line-height:1.35;font-variant-numeric:tabular-nums;"
    "overflow-wrap:normal}\n",
    "th,td{padding:.3rem .5rem;text-align:left;vertical-align:baseline;border-bottom:1px solid var(--edge)}\n",
    "th:first-child,td:first-child{padding-left:.15rem}\n",
    "thead th{font-weight:600;color:var(--soft);vertical-align:bottom}\n",
    ".n,th[scope=row]{text-align:right;white-space:nowrap}\n",
    "th[scope=row]{font-weight:400;color:var(--soft)}\n",
    ".best td{font-weight:600}\n",
    "small{display:block;white-space:nowrap;font-size:.8rem;font-weight:400;color:var(--soft)}\n",
    ".marked td,.marked th{border-bottom-style:dashed;border-bottom-color:var(--ink)}\n",
    ".none{color:var(--soft)}\n",
    "details{margin:.5rem 0}\n",
    "summary{cursor:pointer;color:var(--accent);font-size:.9rem;padding:.25rem 0}\n",
    "details .wide{max-height:28rem;overflow-y:auto}\n",
    "code,pre{font-family:ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:.875em}\n",
    "pre{margin:0 0 1rem;padding:.75rem "
    "1rem;background:var(--tint);border-radius:.5rem;overflow-x:auto;line-height:1.5;"
    "font-size:.85rem}\n",
    ".heat{border-collapse:separate;border-spacing:2px;table-layout:fixed;width:100%;max-width:40rem;font-size:.8rem}"
    "\n",
    ".heat th,.heat td{border:0;padding:.4rem 0;text-align:center;min-width:1.5rem}\n",
    ".heat thead th{padding:.1rem 0;white-space:nowrap}\n",
    ".heat tr>th[rowspan],.heat th[scope=row]{width:3.6rem;padding-right:.4rem;text-align:right}\n",
    ".heat td{border-radius:.2rem}\n",
    ".h0{background:#b34700;color:#fff}.h1{background:#c05208;color:#fff}.h2{background:#d97a35;color:#000}"
    ".h3{background:#e59a60;color:#000}.h4{background:#efba90;color:#000}.h5{background:#efe0d2;color:#000}"
    ".h6{background:#d3e1ec;color:#000}.h7{background:#a6c9e2;color:#000}.h8{background:#74acd3;color:#000}"
    ".h9{background:#1f74ab;color:#fff}.h10{background:#005a8c;color:#fff}\n",
    "footer{margin-top:2.5rem;padding-top:1rem;border-top:1px solid var(--edge);font-size:.85rem;color:var(--soft)}\n",
    "@media screen and (max-width:30rem){.facts div{grid-template-columns:1fr}.facts "
    "dt{font-size:.85rem;margin-top:.35rem}h1{font-size:1.6rem}.lead{font-size:1.1rem}th,td{padding:.3rem .35rem}"
    "table{font-size:.78rem}pre{white-space:pre-wrap;padding:.75rem}}\n",
    "@media "
    "print{@page{margin:15mm}body{font-size:9.5pt;line-height:1.4}main{max-width:none;padding:0}nav{display:none}"
    "a{color:inherit;text-decoration:none}section{margin-top:1rem;padding-top:.9rem}p{max-width:none}"
    "figure,.facts>div,.tiles>div,.terms>div,tr{break-inside:avoid}h2,h3{break-after:avoid}p,pre{orphans:3;widows:3}"
    "h1{font-size:1.5rem}h2{font-size:1.2rem}.lead{font-size:1.05rem;max-width:none;margin:.6rem 0}"
    ".tiles{grid-template-columns:repeat(3,minmax(0,1fr));gap:.6rem}.tiles>div{padding:.5rem .7rem}"
    ".tiles .figure{font-size:1.3rem}.tiles dt,.tiles dd p,figcaption,.note,.legend{font-size:.8rem}"
    ".terms{grid-template-columns:1fr 1fr;gap:.5rem 1.25rem}.terms dd{font-size:.85rem;line-height:1.4}"
    ".facts{font-size:.85rem;line-height:1.4;gap:.15rem;margin:0}.facts div{grid-template-columns:4.5rem minmax(0,1fr)}"
    ".figures{grid-template-columns:repeat(2,minmax(0,1fr));gap:.75rem 1.25rem;margin-top:.75rem}.full{display:none}"
    "details:not([open]){display:none}pre{white-space:pre-wrap;font-size:7.5pt;padding:.5rem .75rem}"
    ".wide{overflow:visible;max-height:none}table{font-size:.74rem}th,td{padding:.2rem .25rem}"
    "small{font-size:.7rem;white-space:normal}.heat{font-size:.6rem;border-spacing:1px}"
    ".heat th,.heat td{min-width:0;padding:.2rem 0}.heat tr>th[rowspan],.heat th[scope=row]{width:2.4rem}"
    ".heat td,pre,.state{-webkit-print-color-adjust:exact;print-color-adjust:exact}}\n",
    NULL,
};
