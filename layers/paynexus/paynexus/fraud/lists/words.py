"""Words that say little of whose name it is. Pure.

What is not here weighs 1. A word's weight falls with how many names have it; the figures were
chosen on the pairs of tests/data/fraud_names.csv and belong together with them.
"""


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


FORM_WEIGHT = 0.1
BUSINESS_WEIGHT = 0.45
FREQUENT_WEIGHT = 0.8

FORMS = _set(
    """
    ab ag and as asa bhd bv ca co company corp corporation cv dba doo ead eood est fze fzc fzco
    fzllc gbr gmbh hf inc incorporated jsc kft kg kk lda limited llc llp lp ltd ltda mbh nv oao
    ohg ojsc ooo oy oyj pao pjsc plc pt pte pty pvt sa sab sae sal sarl sas sdn se sl snc sp spa
    srl sro tov ud unlimited uab zao zoo
    """
)
"""Companies' legal forms."""
PARTICLES = _set(
    """
    mr mrs ms miss dr prof professor sir dame lord lady herr frau monsieur madame mme mlle sr sra
    don dona senor senora haji hajji hajj sheikh shaikh sheik shaykh sayyid sayed mullah maulavi
    mawlawi imam emir general gen colonel col captain capt major lieutenant lt jr junior senior ii
    iii iv esq phd md
    the of for and und et y e de del della di da do dos das du des den der van von zu zur la le
    les los las el al ul ur bin ibn ben bint abu abd a
    """
)
"""Titles, articles and particles of names."""

BUSINESS = _set(
    """
    agency air airline airlines airways american asia asian associates aviation bank banking bureau
    capital center centre chemical chemicals china chinese commerce commercial communications
    construction consulting consultants council credit data delta development digital east eastern
    electric electronic electronics energy engineering enterprise enterprises equipment euro
    european exchange export exports finance financial first food foods foundation fund gas global
    gold group gulf holding holdings house import imports industrial industries industry institute
    insurance international invest investment investments iran iranian italia line lines logistics
    management marine maritime marketing medical metal metals mining ministry national network new
    north northern office oil organization organisation pacific partners petrochemical petroleum
    power private products project projects property public real research resources retail royal
    russian security service services shipping shop solutions south southern star state steel store
    supply systems tech technical technologies technology telecom tourism trade trading transport
    travel trust union united universal ventures west western world worldwide
    """
)
"""Words that thousands of firms have in their names."""

FREQUENT = _set(
    """
    abdul abdullah ahmad ahmed ali alexander ana andrea andrei anna antonio carlos chen chang
    christian daniel david elena eva fatima garcia georg george gonzalez hassan hasan hernandez
    huang hussain hussein ibrahim ivan ivanov james jan jean jesus john johnson jones jose juan
    khan kim lee li lin liu lopez luis maria mario mark martin martinez michael miguel mohamed
    mohammad mohammed muhamed muhammad muller mustafa nguyen omar osman park paul perez peter
    petrov pierre robert rodriguez said saleh sanchez schmidt sergei sergey singh smith thomas
    tran wang wei william wong wu yang yusuf zhang zhao
    """
)
"""Given and family names that a great many people share."""

_VARIANTS = """
    muhammad mohammed mohammad mohamed mohamad muhamed muhammed mohamud mehmed
    ahmad ahmed ahmet
    hussein hussain husain husein hossein hussayn
    yusuf yousef youssef yusef yousuf yousif
    abdul abdel abdal abd
    abdulkader abdelkader abdulkadir abdelkadir abdulqadir
    abdulrahman abdelrahman abdurrahman abdarrahman
    khalid khaled
    jamal gamal djamal
    omar umar omer
    osama usama
    mahmud mahmoud
    sergey sergei serguei
    alexander aleksandr alexandr oleksandr aleksander
    dmitry dmitri dmitriy dimitri
    alexey aleksei alexei aleksey oleksiy
    andrey andrei andriy
    yevgeny evgeny evgeni yevgeni evgeniy
    air airline airlines airways
    petroleum petrol
    trading trade
    organization organisation
    center centre
"""
VARIANT_OF = {
    word: words[0] for words in map(str.split, _VARIANTS.strip().splitlines()) for word in words
}
"""Spellings of one word that are too far apart to be found alike."""
JOINED = {"al": "al", "el": "al", "ul": "al", "o": "o", "mc": "mc", "mac": "mac"}
"""What is written together with the word behind it as often as not, and how then."""


def weight(word: str) -> float:
    """How much it says that two names have this word in common: 0.1 to 1."""
    if word in FORMS or word in PARTICLES:
        return FORM_WEIGHT
    if word in BUSINESS:
        return BUSINESS_WEIGHT
    return FREQUENT_WEIGHT if word in FREQUENT else 1.0
