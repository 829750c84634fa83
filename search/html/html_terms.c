/* The terms that the page uses most. */
#include "search/html/html.h"
#include "search/html/html_page.h"

static const char terms[] =
    "<section id=\"terms\">\n<h2>Terms</h2>\n<dl class=\"terms\">\n"
    "<div><dt>Window</dt><dd>The number of tokens that a model reads at once. A search extends the window that the "
    "model "
    "was trained with. It scores tables on windows of text, which are pieces of exactly the target length.</dd></div>\n"
    "<div><dt>Rescale factor \xce\xbb</dt><dd>What the frequency of a rotary pair is divided by. A factor of two lets "
    "the pair turn half as fast, so that it makes no more turns in twice the window. A table has one factor per "
    "pair.</dd></div>\n"
    "<div><dt>Perplexity</dt><dd>How well the model predicts text: e to the power of the mean loss per predicted "
    "token. "
    "Lower is better. Only perplexities of the same text can be compared.</dd></div>\n"
    "<div><dt>Closed form</dt><dd>A table from a formula, without a search, such as pi, ntk, dynamic-ntk and yarn. "
    "The best of these four is what a search has to improve on. <em>none</em> is the unchanged model.</dd></div>\n"
    "<div><dt>Attention factor</dt><dd>Multiplies cosine and sine of all pairs, so that attention does not become less "
    "sharp over more tokens. Engines have one for all inputs.</dd></div>\n"
    "<div><dt>Start tokens n\xcc\x82</dt><dd>The first tokens of an input, which are not rescaled; "
    "<em>n_hat</em> in settings. Inference engines do not support them, so exports hold the best table "
    "without.</dd></div>\n"
    "</dl>\n</section>\n";

void html_terms(struct html_page *page) { fputs(terms, page->out); }
