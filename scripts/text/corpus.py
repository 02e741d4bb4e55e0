"""The texts that tokenizer goldens are made of: many scripts, emoji, white space, marks, controls, added tokens."""
import unicodedata as older

SENTENCES = [
    "The mill grinds the grain, and the grain becomes flour; it's what we've always done, isn't it?",
    "I'll say they'RE HERE, we'd say 'tis late. DON'T! O'Neill can’t. I'M sure he'S not.",
    "Der Müller mahlt das Korn in der alten Mühle; es heißt, die Straße führt über den Fluß.",
    "Le meunier moud le blé où l’été s’achève, à l'œuvre dès l'aube ; ça coûte 1 234,50 €.",
    "El molino muele el trigo del año pasado. ¿Cuánto cuesta? ¡Muchísimo!",
    "O moinho não mói com águas passadas; a farinha é boa, não há dúvida.",
    "Il mugnaio macina il grano: perché no? Così è più buono.",
    "Młynarz miele zboże w starym młynie. Żółta gęś jaźń.",
    "Mlynář mele obilí ve starém mlýně, příliš žluťoučký kůň úpěl ďábelské ódy.",
    "Değirmenci tahılı öğütür; İstanbul'da ışık ılık.",
    "Người thợ xay nghiền hạt trong chiếc cối xay cũ; tiếng Việt có nhiều dấu.",
    "Мельник мелет зерно на старой мельнице. Ёжик, объём, щука!",
    "Мірошник меле зерно, її ґанок і їжак.",
    "Ο μυλωνάς αλέθει το σιτάρι στον παλιό μύλο· ΐ ΰ ᾧ ἄνθρωπος.",
    "Ջրաղացպանը աղում է ցորենը։ Հայերեն այբուբեն։",
    "მეწისქვილე ფქვავს ხორბალს. ᲛᲔᲬᲘᲡᲥᲕᲘᲚᲔ",
    "הטוחן טוחן את הקמח. שָׁלוֹם עֲלֵיכֶם ״גרשיים״",
    "الطحان يطحن القمح في الطاحونة القديمة. السَّلامُ عَلَيْكُم ٣٫١٤ ۱۲۳",
    "चक्की अनाज पीसती है। हिन्दी में क्षत्रिय और ज्ञान। १२३",
    "জাঁতাকল শস্য পেষে। বাংলা লিপি ৪৫৬",
    "ஆலை தானியத்தை அரைக்கிறது. தமிழ் எழுத்து",
    "మర ధాన్యాన్ని రుబ్బుతుంది. తెలుగు లిపి",
    "โรงสีบดเมล็ดข้าว ภาษาไทยไม่มีช่องว่าง ๑๒๓",
    "ອັກສອນລາວ ພາສາລາວ",
    "အင်္ဂလိပ်စာနှင့် မြန်မာစာ ၁၂၃",
    "ភាសាខ្មែរ ម៉ាស៊ីនកិន",
    "བོད་ཡིག རང་འཐག་གིས་འབྲུ་འཐག",
    "አማርኛ ወፍጮ እህልን ይፈጫል። ፩፪፫",
    "磨坊主在古老的磨坊里磨面粉。汉语没有空格，标点是全角的！价格：１２３元。",
    "粉屋は古い水車小屋で穀物を挽く。カタカナとひらがな、ｶﾀｶﾅ ﾊﾝｶｸ。ー々〆ゝ",
    "방앗간 주인이 낡은 방앗간에서 곡식을 빻는다. 한글과 옛한글 ᄒᆞᆫ글",
    "ᏣᎳᎩ ꮳꮃꭹ 𐐔𐐯𐑅𐐨𐑉𐐯𐐻 𞤀𞤣𞤤𞤢𞤥 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙𝟚",
]

CODE = [
    "int main(int argc, char **argv) {\n\treturn argc > 1 ? 0x1F : -1; // \\n\n}\n",
    "def f(x: float) -> str:\n    return f\"{x:.3f}\"  # trailing  \n\n\n",
    "<div class=\"a b\">&nbsp;</div>\r\n<!-- x -->\r\n",
    "{\"key\": [1, 2.5e-10, null], \"k2\": \"v\\u00e9\"}",
    "a+=b*c; d**=2; x->y.z[3]!=~w&&!v||q<<=1;",
    "https://example.org/path/to?q=1&r=%20#frag me@example.org /usr/lib/x86_64-linux-gnu",
    "$\\alpha_{i}^{2} \\leq \\sum_{k=0}^{\\infty} x_k$ ≤ ∑ ∞ ∂x ≠ √2 ⅓ ½ ² ³ Ⅷ ⅷ ①",
]

WHITE_SPACE = [
    " ", "  ", "   ", "\n", "\n\n", "\r\n", "\r\n\r\n", "\t", "\t\t x", " \n", "\n ", " \n \n ", "a  b", "a   b", "a \n b",
    "a\n\n\nb", "a \t\n\t b", " leading", "  leading", "trailing ", "trailing  ", "a  1", "1  a", "1 \n2", "  1", "12  345",
    "a\u00a0b", "a\u3000b\u3000\u3000c", "a\u2003\u2003b", "\u2028x\u2029y", "\u0085z", "a\u200bb", "a\u180eb", "\u1680ogham",
    "x\x0by\x0cz", "end\n", "end \n", "end\n ", "  \n  \n  end", "\n\t\n", "hello  world   !", "a ,b", "a  ,b", "( a )", "\n.",
    ".\n", "!\n\n a", " \r", "\r x",
]

DIGITS = [
    "0", "12", "123", "1234", "12345", "1234567890", "3.14159", "1,000,000", "2024-11-24T22:03:00Z", "a1b22c333d4444",
    "٠١٢٣٤٥٦٧٨٩", "१२३४५६७८९०", "１２３４５６", "²³¹⁴", "ⅠⅡⅢⅣ", "①②③④⑤", "½⅓¼⅕", "𝟏𝟐𝟑𝟒", "〇一二三四", "1٣३๓３", "½ 1½ x²y³",
]

EMOJI = [
    "😀", "😀😃😄😁", "a😀b", "👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 1️⃣ #️⃣ ❤️ ☎︎", "🤷🏿‍♀️🧑🏻‍🚀", "🫩 🫆 🪾 🫜 🪉 🪏 🫟", "🫨 🩷 🪭 🪼 🫎 🫏", "🫠 🫡 🪬 🛝",
    " 🔥\n🔥 ", "🎉!!!", "(╯°□°)╯︵ ┻━┻", "¯\\_(ツ)_/¯", "→←↑↓ ★☆ ♠♣ ✓✗ ▁▂▃▄█ ░▒▓", "€£¥₹₿₽¢", "™®© ℃ №", "⠓⠑⠇⠇⠕",
]

MARKS = [
    "é é ô ô ñ ñ", "Å Å Å", "ﬁ ﬂ ﬃ", "q̣̇ q̣̇", "a\u0323\u0307\u0301b", "a\u0301\u0323b", "\u0301start", "x\u0301\u0301\u0301\u0301",
    "Z̷̢͎a̶͔͝l̸̡͊g̴̨̚o̵͖͘", "각 각 가", "\u1100\u1161\u11a8\u11a9", "ক\u09be\u09c7", "\u09c7\u09be \u09c7\u09d7",
    "か\u3099 が は\u309a ぱ", "\u0b47\u0b3e \u0b47\u0b56", "\u0f71\u0f72 \u0f73", "ʼn ŉ ß ẞ ſ ſt ŉ", "\u2126 \u212a \u212b Ω K Å",
    "\u0958 \u0929 \u0931", "\ufb1d \ufb2a", "\u0374 \u037e \u0387 \u1f71", "①② Ａｂｃ １２", "豈 更 車 賈",
    "𝅗𝅥 𝅘𝅥", "\u0344 \u0340", "\u1e9b\u0323", "\ud55c\u11ff", "\u0cca \u0cc6\u0cc2 \u0cc6\u0cc2\u0cd5",
]

CONTROLS = [
    "\x00", "a\x00b", "\x01\x02\x03", "\x7f", "\x1b[31mred\x1b[0m", "\ufeffbom", "\u200e\u200f\u202a\u202e", "\u00ad soft", "\ufffd",
    "\ufffe\uffff", "\U0010ffff", "\ue000\uf8ff", "\u2060\u2061", "\u0378", "\x80\x9f", "\U000e0001\U000e0041", "a\u200db",
]

RUNS = [
    "a" * 100, "ab" * 60, "=" * 80, "-" * 33 + ">", " " * 50 + "x", " " * 50 + "7", "\n" * 20, "\t" * 10 + "if",
    "ha" * 40 + "!" * 40, "9" * 50, "中" * 40, "é" * 40, "e\u0301" * 40, "😀" * 20, "the " * 30, "." * 31, "_" * 31, "." * 5 + "a",
    "Donaudampfschifffahrtsgesellschaftskapitänsmütze", "supercalifragilisticexpialidocious", "aA" * 20, "a1" * 20, "\u0301" * 30,
]

ADDED = [
    "<｜begin▁of▁sentence｜>", "a<｜begin▁of▁sentence｜>b", "Hello <｜begin▁of▁sentence｜> world", "<｜User｜>Hi<｜Assistant｜>", "<think>\nx\n</think>\n\nY",
    "<think", "<<think>>", "<｜User", "|<|im_start|>user\nHi<|im_end|>\n", "<|im_start|><|im_start|>", " <mask> x", "a  <mask>  b", "<mask>",
    "word<solo>word", "word <solo> word", "<solo>", "<solo>,", "é<solo>", "<solo>_", "_<solo>", "<solo>½", "<solo>\u0301x", "<ab>", "<ab><abc>", "<abcd>",
    "x<abc", "<abc>d", "a<right>  b", "a  <left>b", "<right> <left>", "<right>  <left>", "<left>  <left>", "<café> <cafe\u0301>", "<CAFÉ>",
    "x    y", "x        y", "x\t\ty", "<s>a</s>", "<unk>", "<0x41>", "<0xE4><0xB8><0xAD>", "▁", "a▁b", " ▁ ", "Ġ", "ĠaĊ", "<two words>x", "<two  words>",
]


def changed_code_points():
    """One text per block of code points that came after the Unicode version of the Python that runs this (14.0)."""
    import unicodedata2 as unicode16
    new = [point for point in range(0x110000)
           if older.category(chr(point)) != unicode16.category(chr(point)) and not 0x20000 <= point < 0x40000]
    texts, line = [], []
    for index, point in enumerate(new):
        # A letter between them keeps each one apart, so that marks meet no other marks.
        line.append("a" + chr(point) + (" " if index % 3 == 0 else ""))
        if len(line) == 64:
            texts.append("".join(line))
            line = []
    return texts + ["".join(line), "𲎰 \U00031350 x\U0002ebf0\U0002ee5d"]


def all_texts():
    texts = [""]
    for group in (SENTENCES, CODE, WHITE_SPACE, DIGITS, EMOJI, MARKS, CONTROLS, RUNS, ADDED):
        texts += group
    texts += changed_code_points()
    texts.append("\n".join(SENTENCES))
    texts.append("".join(CODE + WHITE_SPACE + DIGITS + EMOJI))
    return texts
