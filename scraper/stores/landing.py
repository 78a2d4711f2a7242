"""Pages to which shops redirect the URL of a product that they no longer have, recognised by their URLs."""

from urllib.parse import parse_qsl, urlsplit

#: The languages of ISO 639-1.
_LANGUAGES = (
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv "
    "dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie "
    "ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv "
    "mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm "
    "rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts "
    "tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu "
)

#: The regions of ISO 3166-1, and the two others that shops name.
_REGIONS = (
    "ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq br bs bt "
    "bv bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg eh "
    "er es et fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht "
    "hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls "
    "lt lu lv ly ma mc md me mf mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni "
    "nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg "
    "sh si sj sk sl sm sn so sr ss st sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug "
    "um us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw eu uk "
)

_HOME_NAMES = {"home", "index.html", "index.htm", "index.php", "default.aspx"}

_SEARCH_NAMES = {"search", "catalogsearch", "suche", "recherche", "buscar", "busca", "ricerca", "poisk"}

_SEARCH_PARAMETERS = {"s", "q", "query", "search"}


def is_home(url: str) -> bool:
    """Whether a URL is that of a host's home page, in any language; a query may mean another page."""
    return not urlsplit(url).query and not _path(url)


def is_search(url: str) -> bool:
    """Whether a URL is that of the results of a shop's search."""
    path = _path(url)
    names = {name.lower() for name, _ in parse_qsl(urlsplit(url).query)}
    return not _SEARCH_NAMES.isdisjoint(path) or (not path and not _SEARCH_PARAMETERS.isdisjoint(names))


def _path(url: str) -> list[str]:
    """The parts of the path below the home page."""
    parts = [part.lower() for part in urlsplit(url).path.split("/") if part]
    if parts and _is_language(parts[0]):
        parts = parts[1:]
    return [] if len(parts) == 1 and parts[0] in _HOME_NAMES else parts


def _is_language(part: str) -> bool:
    """Whether a part of a path names the language of a shop's pages: `en`, `de-ch` or `pt_br`."""
    language, dash, region = part.replace("_", "-").partition("-")
    return language in _LANGUAGES.split() and (not dash or region in _REGIONS.split())
