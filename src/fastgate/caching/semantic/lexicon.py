"""Words that the agreement of two texts turns on: what says nothing, what denies, what opposes what.

Lists, not models: whoever wonders why two texts did or did not agree finds the word here. English; in other languages
fewer words are known to say nothing, so fewer texts agree.
"""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SILENT = words(
    "a an the this that these those there here it its it's i i'm i'd i've i'll me my mine we we're our ours you "
    "your yours you're is are am be being been do does doing have has having had get "
    "gets getting got can could would shall might of in on at for as and also so then just really actually "
    "basically simply quickly quick please pls kindly thanks thank thx cheers hi hiya hello hey good "
    "ok okay right sure well um uh sorry advance question wondering wonder wanted want wants like "
    "know tell let help helping able possible possibly how what which whats what's how's way ways steps step process "
    "go going about some any exactly now currently claude assistant er silly s d ll m re ve what're who's where's "
    "when's how'd 'd"
)
"""Words that may be there or not: articles, pronouns, helpers, courtesy, the ways to put a question."""

DENIALS = words(
    "not no never none nobody nothing nowhere neither nor without cannot can't don't doesn't didn't won't wouldn't "
    "shouldn't couldn't isn't aren't wasn't weren't hasn't haven't hadn't mustn't needn't ain't cant dont doesnt "
    "didnt wont wouldnt shouldnt couldnt isnt arent wasnt werent hasnt havent hadnt non except excluding unless "
    "hardly"
)

_COUNTED = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty
"""

NUMBERS = {name: str(n) for n, name in enumerate(_COUNTED.split())} | {
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "hundred": "100", "thousand": "1000",
    "million": "1000000", "once": "1x", "twice": "2x", "first": "1.", "second": "2.", "third": "3.", "fourth": "4.",
    "fifth": "5.", "last": "-1.", "half": "1/2", "quarter": "1/4", "dozen": "12", "double": "*2", "triple": "*3",
}  # fmt: skip
"""Numbers that are written out, as what they are compared by."""

EXACT = words(
    "all every each both either only other another same different more less most least fewer max maximum min minimum "
    "always sometimes often rarely before after above below over under between until since during while if when where "
    "who whose whom why from to into onto out off up down back with by than via through against instead versus vs "
    "must should need required optional was were did had ago yesterday today tomorrow monday tuesday wednesday "
    "thursday friday saturday sunday january february march april june july august september october november "
    "december week month year day hour minute weekday weekend morning noon night true false yes null new old next "
    "previous latest left right top bottom north south east west male female man woman men women boy girl child adult"
)
"""Words whose neighbours mean something else: they have no synonyms here, whatever their vectors say."""

SAME = (
    words("delete remove erase drop"),
    words("fix repair mend"),
    words("start begin launch"),
    words("stop halt end"),
    words("show display print"),
    words("create make"),
    words("change update modify edit alter amend"),
    words("use utilise utilize"),
    words("check verify"),
    words("run execute"),
    words("explain describe"),
    words("find locate"),
    words("error failure"),
    words("function method"),
    words("folder directory"),
    words("repo repository"),
    words("config configuration"),
    words("docs documentation"),
    words("summarise summarize summary"),
    words("bug defect"),
    words("issue problem"),
    words("earlier previous prior"),
    words("purchase buy"),
    words("shut close"),
    words("cost price charge fee"),
    words("book reserve"),
    words("cancel end terminate"),
    words("challenge dispute"),
    words("phone telephone"),
    words("email e-mail mail"),
    words("all every each"),
    words("maximum max"),
    words("minimum min"),
    words("need required must"),
    words("vs versus"),
    words("answer reply respond"),
    words("big large"),
    words("small little"),
    words("fast rapid"),
    words("job task"),
    words("concise brief short"),
    words("title heading headline"),
    words("write compose draft"),
    words("get receive obtain"),
    words("shop store"),
    words("request ask"),
    words("submit send"),
    words("include contain"),
    words("increase raise"),
    words("decrease lower reduce"),
    words("finish complete"),
    words("choose select pick"),
    words("wrong incorrect"),
    words("allow permit"),
    words("holiday vacation"),
    words("register enrol enroll"),
    words("shipping delivery"),
    words("link url"),
    words("mute silence"),
    words("instance example"),
    words("view see"),
    words("generate produce"),
    words("improve enhance"),
    words("speed performance"),
    words("rewrite rephrase"),
    words("translate convert"),
    words("outline overview"),
    words("tests test-suite"),
    words("look inspect examine review"),
    words("clean tidy"),
    words("simplify streamline"),
)
"""Words that stand for one another in a request, beside those whose vectors say so."""

PHRASES = {
    ("sign", "up"): "register",
    ("set", "up"): "install",
    ("log", "in"): "login",
    ("sign", "in"): "login",
    ("log", "out"): "logout",
    ("sign", "out"): "logout",
    ("turn", "on"): "enable",
    ("switch", "on"): "enable",
    ("turn", "off"): "disable",
    ("switch", "off"): "disable",
    ("rid", "of"): "delete",
    ("find", "out"): "find",
    ("carry", "out"): "run",
    ("shut", "down"): "stop",
    ("look", "at"): "look",
    ("come", "with"): "include",
    ("comes", "with"): "include",
    ("many", "thanks"): "thanks",
}
"""Two words that are one."""

_OPPOSED = """
add/remove add/delete add/drop enable/disable start/stop start/end begin/end begin/finish open/close open/shut
increase/decrease raise/lower increase/reduce extend/shorten expand/collapse expand/shrink grow/shrink show/hide
display/hide push/pull upload/download import/export encode/decode encrypt/decrypt serialize/deserialize
compress/decompress lock/unlock install/uninstall install/remove mount/unmount attach/detach connect/disconnect
allow/deny allow/block allow/forbid permit/forbid accept/reject accept/decline approve/reject approve/deny
include/exclude merge/split join/split merge/revert apply/revert commit/revert create/delete create/destroy
create/remove insert/delete insert/remove read/write get/set get/post get/put put/delete post/put load/save
load/unload save/discard keep/discard keep/delete keep/remove upgrade/downgrade promote/demote register/unregister
subscribe/unsubscribe follow/unfollow pass/fail succeed/fail success/failure success/error valid/invalid
enabled/disabled public/private internal/external local/remote local/global frontend/backend client/server
input/output source/target source/destination parent/child old/new first/last next/previous ascending/descending
asc/desc up/down left/right top/bottom before/after above/below over/under more/less most/least max/min
maximum/minimum sync/async synchronous/asynchronous staging/production dev/prod development/production
test/production debug/release true/false on/off in/out buy/sell lend/borrow send/receive give/take arrive/depart
arrival/departure win/lose hot/cold safe/unsafe safe/dangerous advantage/disadvantage advantages/disadvantages
benefit/drawback benefits/risks pros/cons best/worst good/bad better/worse fast/slow high/low long/short early/late
earlier/later day/night full/empty free/paid cheap/expensive cheapest/dearest single/multiple horizontal/vertical
row/column freeze/unfreeze pause/resume stage/unstage check/uncheck mute/unmute undo/redo forward/backward
forwards/backwards inside/outside within/outside positive/negative odd/even major/minor strengthen/weaken
tighten/loosen verbose/quiet verbose/concise detailed/brief long/brief simple/complex same/different legal/illegal
lawful/unlawful eligible/ineligible required/optional
"""

OPPOSITES = frozenset(frozenset(pair.split("/")) for pair in _OPPOSED.split())
"""Words that turn a request into another one. Their vectors keep most of them apart; these lists all of them."""

DENYING_PREFIXES = words("un in im ir il dis non de mis anti re pre post sub super over under")
"""A word and the same word behind one of these are never the same."""

GREETED = words("hi hiya hello hey ok okay please pls so well sorry um uh thanks cheers")
"""Words that may stand before a sentence begins."""
