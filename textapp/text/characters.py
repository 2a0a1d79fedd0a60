"""Character classes and the lower-case map, as explicit code-point ranges.

The tables are fixed at Unicode 14.0. Python, a TensorFlow graph, RE2, JavaScript and Kotlin read the same ranges, so
that no result depends on the Unicode version of a library. A range is `FIRST-LAST` or `CODE_POINT`, hexadecimal, both
ends included; ranges are separated by white space.

Every code point has one class, a letter:

| class | table         | meaning                                                                               |
|-------|---------------|---------------------------------------------------------------------------------------|
| `S`   | `SPACES`      | white space, controls, interlinear annotation: between tokens, never in a token       |
| `I`   | `IGNORABLES`  | default-ignorable (joiners, variation selectors, soft hyphen, BOM, tags): dropped     |
| `M`   | `MARKS`       | combining marks: part of the character before them                                    |
| `D`   | `DIGITS`      | decimal digits of all scripts                                                         |
| `L`   | `LETTERS`     | letters and letter numbers of scripts that put spaces between words                   |
| `U`   | `UNSPACED`    | letters of scripts that do not: Han, kana, bopomofo, Thai, Lao, Khmer, Myanmar, Tai,  |
|       |               | Tangut, Khitan, Nushu                                                                 |
| `Q`   | `APOSTROPHES` | join letters: don't                                                                   |
| `P`   | `POINTS`      | join digits: 3.5, 1,000                                                               |
| `O`   |               | all others: punctuation, symbols, emoji, private use, unassigned                      |

Hangul is in `L`, because Korean puts spaces between words. U+200B (zero width space) is in `S`, because it separates
words. The first text that is not ASCII makes Python parse the tables, so that the import of this file takes no time.

Reference: The Unicode Standard 14.0, UnicodeData.txt and DerivedCoreProperties.txt.
"""

import bisect
import functools
import itertools
import re
import unicodedata
from collections.abc import Mapping

SPACES = "0-20 7F-A0 1680 2000-200B 2028-2029 202F 205F 3000 FFF9-FFFB"
"""White_Space, general category Cc, U+200B and U+FFF9 to U+FFFB."""

IGNORABLES = """
    AD 34F 61C 115F-1160 17B4-17B5 180B-180F 200C-200F 202A-202E 2060-206F 3164 FE00-FE0F FEFF FFA0 FFF0-FFF8
    1BCA0-1BCA3 1D173-1D17A E0000-E0FFF
"""
"""Default_Ignorable_Code_Point without U+200B."""

APOSTROPHES = "27 2019"
"""The typewriter's and the printer's apostrophe."""

POINTS = "2C 2E 66B-66C"
"""Comma, full stop and the Arabic decimal and thousands separators."""

DIGITS = """
    30-39 660-669 6F0-6F9 7C0-7C9 966-96F 9E6-9EF A66-A6F AE6-AEF B66-B6F BE6-BEF C66-C6F CE6-CEF D66-D6F DE6-DEF
    E50-E59 ED0-ED9 F20-F29 1040-1049 1090-1099 17E0-17E9 1810-1819 1946-194F 19D0-19D9 1A80-1A89 1A90-1A99
    1B50-1B59 1BB0-1BB9 1C40-1C49 1C50-1C59 A620-A629 A8D0-A8D9 A900-A909 A9D0-A9D9 A9F0-A9F9 AA50-AA59 ABF0-ABF9
    FF10-FF19 104A0-104A9 10D30-10D39 11066-1106F 110F0-110F9 11136-1113F 111D0-111D9 112F0-112F9 11450-11459
    114D0-114D9 11650-11659 116C0-116C9 11730-11739 118E0-118E9 11950-11959 11C50-11C59 11D50-11D59 11DA0-11DA9
    16A60-16A69 16AC0-16AC9 16B50-16B59 1D7CE-1D7FF 1E140-1E149 1E2F0-1E2F9 1E950-1E959 1FBF0-1FBF9
"""
"""General category Nd."""

UNSPACED = """
    E01-E30 E32-E33 E40-E46 E81-E82 E84 E86-E8A E8C-EA3 EA5 EA7-EB0 EB2-EB3 EBD EC0-EC4 EC6 EDC-EDF 1000-102A 103F
    1050-1055 105A-105D 1061 1065-1066 106E-1070 1075-1081 108E 1780-17B3 17D7 17DC 1950-196D 1970-1974 1980-19AB
    19B0-19C9 1A20-1A54 1AA7 3005-3007 3021-3029 3031-3035 3038-303A 303C 3041-3096 309D-309F 30A1-30FA 30FC-30FF
    3105-312F 31A0-31BF 31F0-31FF 3400-4DBF 4E00-9FFF A9E0-A9E4 A9E6-A9EF A9FA-A9FE AA60-AA76 AA7A AA7E-AAAF AAB1
    AAB5-AAB6 AAB9-AABD AAC0 AAC2 AADB-AADD F900-FA6D FA70-FAD9 FF66-FF9F 16FE0-16FE1 17000-187F7 18800-18CD5
    18D00-18D08 1AFF0-1AFF3 1AFF5-1AFFB 1AFFD-1AFFE 1B000-1B001 1B11F-1B122 1B150-1B152 1B164-1B167 1B170-1B2FB
    20000-3FFFD
"""
"""General categories L and Nl of the scripts named above, and planes 2 and 3, which are kept for ideographs."""

MARKS = """
    300-34E 350-36F 483-489 591-5BD 5BF 5C1-5C2 5C4-5C5 5C7 610-61A 64B-65F 670 6D6-6DC 6DF-6E4 6E7-6E8 6EA-6ED 711
    730-74A 7A6-7B0 7EB-7F3 7FD 816-819 81B-823 825-827 829-82D 859-85B 898-89F 8CA-8E1 8E3-903 93A-93C 93E-94F
    951-957 962-963 981-983 9BC 9BE-9C4 9C7-9C8 9CB-9CD 9D7 9E2-9E3 9FE A01-A03 A3C A3E-A42 A47-A48 A4B-A4D A51
    A70-A71 A75 A81-A83 ABC ABE-AC5 AC7-AC9 ACB-ACD AE2-AE3 AFA-AFF B01-B03 B3C B3E-B44 B47-B48 B4B-B4D B55-B57
    B62-B63 B82 BBE-BC2 BC6-BC8 BCA-BCD BD7 C00-C04 C3C C3E-C44 C46-C48 C4A-C4D C55-C56 C62-C63 C81-C83 CBC CBE-CC4
    CC6-CC8 CCA-CCD CD5-CD6 CE2-CE3 D00-D03 D3B-D3C D3E-D44 D46-D48 D4A-D4D D57 D62-D63 D81-D83 DCA DCF-DD4 DD6
    DD8-DDF DF2-DF3 E31 E34-E3A E47-E4E EB1 EB4-EBC EC8-ECD F18-F19 F35 F37 F39 F3E-F3F F71-F84 F86-F87 F8D-F97
    F99-FBC FC6 102B-103E 1056-1059 105E-1060 1062-1064 1067-106D 1071-1074 1082-108D 108F 109A-109D 135D-135F
    1712-1715 1732-1734 1752-1753 1772-1773 17B6-17D3 17DD 1885-1886 18A9 1920-192B 1930-193B 1A17-1A1B 1A55-1A5E
    1A60-1A7C 1A7F 1AB0-1ACE 1B00-1B04 1B34-1B44 1B6B-1B73 1B80-1B82 1BA1-1BAD 1BE6-1BF3 1C24-1C37 1CD0-1CD2
    1CD4-1CE8 1CED 1CF4 1CF7-1CF9 1DC0-1DFF 20D0-20F0 2CEF-2CF1 2D7F 2DE0-2DFF 302A-302F 3099-309A A66F-A672
    A674-A67D A69E-A69F A6F0-A6F1 A802 A806 A80B A823-A827 A82C A880-A881 A8B4-A8C5 A8E0-A8F1 A8FF A926-A92D
    A947-A953 A980-A983 A9B3-A9C0 A9E5 AA29-AA36 AA43 AA4C-AA4D AA7B-AA7D AAB0 AAB2-AAB4 AAB7-AAB8 AABE-AABF AAC1
    AAEB-AAEF AAF5-AAF6 ABE3-ABEA ABEC-ABED FB1E FE20-FE2F 101FD 102E0 10376-1037A 10A01-10A03 10A05-10A06
    10A0C-10A0F 10A38-10A3A 10A3F 10AE5-10AE6 10D24-10D27 10EAB-10EAC 10F46-10F50 10F82-10F85 11000-11002
    11038-11046 11070 11073-11074 1107F-11082 110B0-110BA 110C2 11100-11102 11127-11134 11145-11146 11173
    11180-11182 111B3-111C0 111C9-111CC 111CE-111CF 1122C-11237 1123E 112DF-112EA 11300-11303 1133B-1133C
    1133E-11344 11347-11348 1134B-1134D 11357 11362-11363 11366-1136C 11370-11374 11435-11446 1145E 114B0-114C3
    115AF-115B5 115B8-115C0 115DC-115DD 11630-11640 116AB-116B7 1171D-1172B 1182C-1183A 11930-11935 11937-11938
    1193B-1193E 11940 11942-11943 119D1-119D7 119DA-119E0 119E4 11A01-11A0A 11A33-11A39 11A3B-11A3E 11A47
    11A51-11A5B 11A8A-11A99 11C2F-11C36 11C38-11C3F 11C92-11CA7 11CA9-11CB6 11D31-11D36 11D3A 11D3C-11D3D
    11D3F-11D45 11D47 11D8A-11D8E 11D90-11D91 11D93-11D97 11EF3-11EF6 16AF0-16AF4 16B30-16B36 16F4F 16F51-16F87
    16F8F-16F92 16FE4 16FF0-16FF1 1BC9D-1BC9E 1CF00-1CF2D 1CF30-1CF46 1D165-1D169 1D16D-1D172 1D17B-1D182
    1D185-1D18B 1D1AA-1D1AD 1D242-1D244 1DA00-1DA36 1DA3B-1DA6C 1DA75 1DA84 1DA9B-1DA9F 1DAA1-1DAAF 1E000-1E006
    1E008-1E018 1E01B-1E021 1E023-1E024 1E026-1E02A 1E130-1E136 1E2AE 1E2EC-1E2EF 1E8D0-1E8D6 1E944-1E94A
"""
"""General category M without `IGNORABLES`."""

LETTERS = """
    41-5A 61-7A AA B5 BA C0-D6 D8-F6 F8-2C1 2C6-2D1 2E0-2E4 2EC 2EE 370-374 376-377 37A-37D 37F 386 388-38A 38C
    38E-3A1 3A3-3F5 3F7-481 48A-52F 531-556 559 560-588 5D0-5EA 5EF-5F2 620-64A 66E-66F 671-6D3 6D5 6E5-6E6 6EE-6EF
    6FA-6FC 6FF 710 712-72F 74D-7A5 7B1 7CA-7EA 7F4-7F5 7FA 800-815 81A 824 828 840-858 860-86A 870-887 889-88E
    8A0-8C9 904-939 93D 950 958-961 971-980 985-98C 98F-990 993-9A8 9AA-9B0 9B2 9B6-9B9 9BD 9CE 9DC-9DD 9DF-9E1
    9F0-9F1 9FC A05-A0A A0F-A10 A13-A28 A2A-A30 A32-A33 A35-A36 A38-A39 A59-A5C A5E A72-A74 A85-A8D A8F-A91 A93-AA8
    AAA-AB0 AB2-AB3 AB5-AB9 ABD AD0 AE0-AE1 AF9 B05-B0C B0F-B10 B13-B28 B2A-B30 B32-B33 B35-B39 B3D B5C-B5D B5F-B61
    B71 B83 B85-B8A B8E-B90 B92-B95 B99-B9A B9C B9E-B9F BA3-BA4 BA8-BAA BAE-BB9 BD0 C05-C0C C0E-C10 C12-C28 C2A-C39
    C3D C58-C5A C5D C60-C61 C80 C85-C8C C8E-C90 C92-CA8 CAA-CB3 CB5-CB9 CBD CDD-CDE CE0-CE1 CF1-CF2 D04-D0C D0E-D10
    D12-D3A D3D D4E D54-D56 D5F-D61 D7A-D7F D85-D96 D9A-DB1 DB3-DBB DBD DC0-DC6 F00 F40-F47 F49-F6C F88-F8C
    10A0-10C5 10C7 10CD 10D0-10FA 10FC-115E 1161-1248 124A-124D 1250-1256 1258 125A-125D 1260-1288 128A-128D
    1290-12B0 12B2-12B5 12B8-12BE 12C0 12C2-12C5 12C8-12D6 12D8-1310 1312-1315 1318-135A 1380-138F 13A0-13F5
    13F8-13FD 1401-166C 166F-167F 1681-169A 16A0-16EA 16EE-16F8 1700-1711 171F-1731 1740-1751 1760-176C 176E-1770
    1820-1878 1880-1884 1887-18A8 18AA 18B0-18F5 1900-191E 1A00-1A16 1B05-1B33 1B45-1B4C 1B83-1BA0 1BAE-1BAF
    1BBA-1BE5 1C00-1C23 1C4D-1C4F 1C5A-1C7D 1C80-1C88 1C90-1CBA 1CBD-1CBF 1CE9-1CEC 1CEE-1CF3 1CF5-1CF6 1CFA
    1D00-1DBF 1E00-1F15 1F18-1F1D 1F20-1F45 1F48-1F4D 1F50-1F57 1F59 1F5B 1F5D 1F5F-1F7D 1F80-1FB4 1FB6-1FBC 1FBE
    1FC2-1FC4 1FC6-1FCC 1FD0-1FD3 1FD6-1FDB 1FE0-1FEC 1FF2-1FF4 1FF6-1FFC 2071 207F 2090-209C 2102 2107 210A-2113
    2115 2119-211D 2124 2126 2128 212A-212D 212F-2139 213C-213F 2145-2149 214E 2160-2188 2C00-2CE4 2CEB-2CEE
    2CF2-2CF3 2D00-2D25 2D27 2D2D 2D30-2D67 2D6F 2D80-2D96 2DA0-2DA6 2DA8-2DAE 2DB0-2DB6 2DB8-2DBE 2DC0-2DC6
    2DC8-2DCE 2DD0-2DD6 2DD8-2DDE 2E2F 303B 3131-3163 3165-318E A000-A48C A4D0-A4FD A500-A60C A610-A61F A62A-A62B
    A640-A66E A67F-A69D A6A0-A6EF A717-A71F A722-A788 A78B-A7CA A7D0-A7D1 A7D3 A7D5-A7D9 A7F2-A801 A803-A805
    A807-A80A A80C-A822 A840-A873 A882-A8B3 A8F2-A8F7 A8FB A8FD-A8FE A90A-A925 A930-A946 A960-A97C A984-A9B2 A9CF
    AA00-AA28 AA40-AA42 AA44-AA4B AAE0-AAEA AAF2-AAF4 AB01-AB06 AB09-AB0E AB11-AB16 AB20-AB26 AB28-AB2E AB30-AB5A
    AB5C-AB69 AB70-ABE2 AC00-D7A3 D7B0-D7C6 D7CB-D7FB FB00-FB06 FB13-FB17 FB1D FB1F-FB28 FB2A-FB36 FB38-FB3C FB3E
    FB40-FB41 FB43-FB44 FB46-FBB1 FBD3-FD3D FD50-FD8F FD92-FDC7 FDF0-FDFB FE70-FE74 FE76-FEFC FF21-FF3A FF41-FF5A
    FFA1-FFBE FFC2-FFC7 FFCA-FFCF FFD2-FFD7 FFDA-FFDC 10000-1000B 1000D-10026 10028-1003A 1003C-1003D 1003F-1004D
    10050-1005D 10080-100FA 10140-10174 10280-1029C 102A0-102D0 10300-1031F 1032D-1034A 10350-10375 10380-1039D
    103A0-103C3 103C8-103CF 103D1-103D5 10400-1049D 104B0-104D3 104D8-104FB 10500-10527 10530-10563 10570-1057A
    1057C-1058A 1058C-10592 10594-10595 10597-105A1 105A3-105B1 105B3-105B9 105BB-105BC 10600-10736 10740-10755
    10760-10767 10780-10785 10787-107B0 107B2-107BA 10800-10805 10808 1080A-10835 10837-10838 1083C 1083F-10855
    10860-10876 10880-1089E 108E0-108F2 108F4-108F5 10900-10915 10920-10939 10980-109B7 109BE-109BF 10A00
    10A10-10A13 10A15-10A17 10A19-10A35 10A60-10A7C 10A80-10A9C 10AC0-10AC7 10AC9-10AE4 10B00-10B35 10B40-10B55
    10B60-10B72 10B80-10B91 10C00-10C48 10C80-10CB2 10CC0-10CF2 10D00-10D23 10E80-10EA9 10EB0-10EB1 10F00-10F1C
    10F27 10F30-10F45 10F70-10F81 10FB0-10FC4 10FE0-10FF6 11003-11037 11071-11072 11075 11083-110AF 110D0-110E8
    11103-11126 11144 11147 11150-11172 11176 11183-111B2 111C1-111C4 111DA 111DC 11200-11211 11213-1122B
    11280-11286 11288 1128A-1128D 1128F-1129D 1129F-112A8 112B0-112DE 11305-1130C 1130F-11310 11313-11328
    1132A-11330 11332-11333 11335-11339 1133D 11350 1135D-11361 11400-11434 11447-1144A 1145F-11461 11480-114AF
    114C4-114C5 114C7 11580-115AE 115D8-115DB 11600-1162F 11644 11680-116AA 116B8 11700-1171A 11740-11746
    11800-1182B 118A0-118DF 118FF-11906 11909 1190C-11913 11915-11916 11918-1192F 1193F 11941 119A0-119A7
    119AA-119D0 119E1 119E3 11A00 11A0B-11A32 11A3A 11A50 11A5C-11A89 11A9D 11AB0-11AF8 11C00-11C08 11C0A-11C2E
    11C40 11C72-11C8F 11D00-11D06 11D08-11D09 11D0B-11D30 11D46 11D60-11D65 11D67-11D68 11D6A-11D89 11D98
    11EE0-11EF2 11FB0 12000-12399 12400-1246E 12480-12543 12F90-12FF0 13000-1342E 14400-14646 16800-16A38
    16A40-16A5E 16A70-16ABE 16AD0-16AED 16B00-16B2F 16B40-16B43 16B63-16B77 16B7D-16B8F 16E40-16E7F 16F00-16F4A
    16F50 16F93-16F9F 16FE3 1B002-1B11E 1BC00-1BC6A 1BC70-1BC7C 1BC80-1BC88 1BC90-1BC99 1D400-1D454 1D456-1D49C
    1D49E-1D49F 1D4A2 1D4A5-1D4A6 1D4A9-1D4AC 1D4AE-1D4B9 1D4BB 1D4BD-1D4C3 1D4C5-1D505 1D507-1D50A 1D50D-1D514
    1D516-1D51C 1D51E-1D539 1D53B-1D53E 1D540-1D544 1D546 1D54A-1D550 1D552-1D6A5 1D6A8-1D6C0 1D6C2-1D6DA
    1D6DC-1D6FA 1D6FC-1D714 1D716-1D734 1D736-1D74E 1D750-1D76E 1D770-1D788 1D78A-1D7A8 1D7AA-1D7C2 1D7C4-1D7CB
    1DF00-1DF1E 1E100-1E12C 1E137-1E13D 1E14E 1E290-1E2AD 1E2C0-1E2EB 1E7E0-1E7E6 1E7E8-1E7EB 1E7ED-1E7EE
    1E7F0-1E7FE 1E800-1E8C4 1E900-1E943 1E94B 1EE00-1EE03 1EE05-1EE1F 1EE21-1EE22 1EE24 1EE27 1EE29-1EE32
    1EE34-1EE37 1EE39 1EE3B 1EE42 1EE47 1EE49 1EE4B 1EE4D-1EE4F 1EE51-1EE52 1EE54 1EE57 1EE59 1EE5B 1EE5D 1EE5F
    1EE61-1EE62 1EE64 1EE67-1EE6A 1EE6C-1EE72 1EE74-1EE77 1EE79-1EE7C 1EE7E 1EE80-1EE89 1EE8B-1EE9B 1EEA1-1EEA3
    1EEA5-1EEA9 1EEAB-1EEBB
"""
"""General categories L and Nl without `UNSPACED` and `IGNORABLES`."""

LOWER = """
    41-5A=+32 C0-D6=+32 D8-DE=+32 100-12E/2=+1 130=-199 132-136/2=+1 139-147/2=+1 14A-176/2=+1 178=-121 179-17D/2=+1
    181=+210 182-184/2=+1 186=+206 187=+1 189-18A=+205 18B=+1 18E=+79 18F=+202 190=+203 191=+1 193=+205 194=+207
    196=+211 197=+209 198=+1 19C=+211 19D=+213 19F=+214 1A0-1A4/2=+1 1A6=+218 1A7=+1 1A9=+218 1AC=+1 1AE=+218 1AF=+1
    1B1-1B2=+217 1B3-1B5/2=+1 1B7=+219 1B8=+1 1BC=+1 1C4=+2 1C5=+1 1C7=+2 1C8=+1 1CA=+2 1CB-1DB/2=+1 1DE-1EE/2=+1
    1F1=+2 1F2-1F4/2=+1 1F6=-97 1F7=-56 1F8-21E/2=+1 220=-130 222-232/2=+1 23A=+10795 23B=+1 23D=-163 23E=+10792
    241=+1 243=-195 244=+69 245=+71 246-24E/2=+1 370-372/2=+1 376=+1 37F=+116 386=+38 388-38A=+37 38C=+64
    38E-38F=+63 391-3A1=+32 3A3-3AB=+32 3CF=+8 3D8-3EE/2=+1 3F4=-60 3F7=+1 3F9=-7 3FA=+1 3FD-3FF=-130 400-40F=+80
    410-42F=+32 460-480/2=+1 48A-4BE/2=+1 4C0=+15 4C1-4CD/2=+1 4D0-52E/2=+1 531-556=+48 10A0-10C5=+7264 10C7=+7264
    10CD=+7264 13A0-13EF=+38864 13F0-13F5=+8 1C90-1CBA=-3008 1CBD-1CBF=-3008 1E00-1E94/2=+1 1E9E=-7615
    1EA0-1EFE/2=+1 1F08-1F0F=-8 1F18-1F1D=-8 1F28-1F2F=-8 1F38-1F3F=-8 1F48-1F4D=-8 1F59-1F5F/2=-8 1F68-1F6F=-8
    1F88-1F8F=-8 1F98-1F9F=-8 1FA8-1FAF=-8 1FB8-1FB9=-8 1FBA-1FBB=-74 1FBC=-9 1FC8-1FCB=-86 1FCC=-9 1FD8-1FD9=-8
    1FDA-1FDB=-100 1FE8-1FE9=-8 1FEA-1FEB=-112 1FEC=-7 1FF8-1FF9=-128 1FFA-1FFB=-126 1FFC=-9 2126=-7517 212A=-8383
    212B=-8262 2132=+28 2160-216F=+16 2183=+1 24B6-24CF=+26 2C00-2C2F=+48 2C60=+1 2C62=-10743 2C63=-3814 2C64=-10727
    2C67-2C6B/2=+1 2C6D=-10780 2C6E=-10749 2C6F=-10783 2C70=-10782 2C72=+1 2C75=+1 2C7E-2C7F=-10815 2C80-2CE2/2=+1
    2CEB-2CED/2=+1 2CF2=+1 A640-A66C/2=+1 A680-A69A/2=+1 A722-A72E/2=+1 A732-A76E/2=+1 A779-A77B/2=+1 A77D=-35332
    A77E-A786/2=+1 A78B=+1 A78D=-42280 A790-A792/2=+1 A796-A7A8/2=+1 A7AA=-42308 A7AB=-42319 A7AC=-42315 A7AD=-42305
    A7AE=-42308 A7B0=-42258 A7B1=-42282 A7B2=-42261 A7B3=+928 A7B4-A7C2/2=+1 A7C4=-48 A7C5=-42307 A7C6=-35384
    A7C7-A7C9/2=+1 A7D0=+1 A7D6-A7D8/2=+1 A7F5=+1 FF21-FF3A=+32 10400-10427=+40 104B0-104D3=+40 10570-1057A=+39
    1057C-1058A=+39 1058C-10592=+39 10594-10595=+39 10C80-10CB2=+64 118A0-118BF=+32 16E40-16E5F=+32 1E900-1E921=+34
"""
"""The simple lower-case mapping: `RANGE=DELTA`, the decimal difference to the lower-case code point; `RANGE/2=DELTA`
takes every second code point of the range. One code point always becomes one, so that lengths and offsets stay."""

CLASSES = {
    "S": SPACES,
    "I": IGNORABLES,
    "M": MARKS,
    "D": DIGITS,
    "L": LETTERS,
    "U": UNSPACED,
    "Q": APOSTROPHES,
    "P": POINTS,
}
"""The table of each class. The tables are disjoint; a code point in none of them is of class `O`."""

SURROGATES = "D800-DFFF"
"""No text encoding has these code points, so they are read as U+FFFD."""


_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_ranges(table: str) -> list[tuple[int, int]]:
    """Parses a table of ranges into pairs (first, last) of code points, in the order of the table."""
    pairs = (item.partition("-") for item in table.split())
    return [(int(first, 16), int(last or first, 16)) for first, _, last in pairs]


def parse_lower(table: str = LOWER) -> list[tuple[range, int]]:
    """Parses a lower-case table into pairs (code points, difference to their lower-case code points)."""
    runs = []
    for code_points, step, delta in re.findall(r"(\S+?)(/2)?=([+-]\d+)", table):
        [(first, last)] = parse_ranges(code_points)
        runs.append((range(first, last + 1, 2 if step else 1), int(delta)))
    return runs


def counted(count: int, noun: str) -> str:
    """A number and a noun for a message: `1 text`, `2 texts`, `1,000 entities`."""
    return f"{count:,} {agreeing(count, noun)}"


def agreeing(count: int, singular: str, plural: str | None = None) -> str:
    """The form of a noun or verb that a count asks for.

    Args:
        count: The count.
        singular: The form for 1.
        plural: The form for other counts; by default the regular plural of a noun.

    Example:
        >>> agreeing(1, "is", "are"), agreeing(2, "is", "are"), agreeing(0, "entity"), agreeing(3, "key")
        ('is', 'are', 'entities', 'keys')
    """
    if count == 1:
        return singular
    if plural is not None:
        return plural
    return f"{singular[:-1]}ies" if re.search("[^aeiou]y$", singular) else f"{singular}s"


def printable(text: str) -> str:
    """Returns a text with control characters and lone surrogates as escapes: none may move a terminal's cursor."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def one_line(text: str) -> str:
    """Returns a text with control characters, line breaks among them, as spaces."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)


def terminal_width(text: str) -> int:
    """Number of terminal columns of a text: a Chinese character takes two, a combining mark none."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


def shortened(text: str, columns: int) -> str:
    """The start of a text that fits into some terminal columns, with an ellipsis where it was cut.

    Example:
        >>> shortened("très bien", 20), shortened("很好吃的面", 7)
        ('très bien', '很好吃…')
    """
    if len(text) <= 2 * columns and terminal_width(text) <= columns:
        return text
    ends = itertools.accumulate(map(terminal_width, text))
    return text[: sum(1 for _ in itertools.takewhile(lambda end: end < columns, ends))] + "…"


def replace_surrogates(text: str) -> str:
    """Replaces each surrogate by U+FFFD, so that UTF-8 and TensorFlow strings can hold the text."""
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


class RangeMap(dict[int, str]):
    """Maps code points to letters by tables of ranges, for `str.translate`.

    It finds a new code point by bisection and remembers its letter, so that only code points that occur take time.

    Args:
        tables: The table of ranges of each letter; the tables are disjoint.
        default: The letter of a code point that is in no table.
    """

    def __init__(self, tables: Mapping[str, str], default: str):
        super().__init__()
        self._tables = tables
        self._default = default

    @functools.cached_property
    def _ranges(self) -> list[tuple[int, int, str]]:
        """Returns (first, last, letter) of all ranges, sorted."""
        return sorted((*pair, letter) for letter, table in self._tables.items() for pair in parse_ranges(table))

    def __missing__(self, code_point: int) -> str:
        index = bisect.bisect_right(self._ranges, code_point, key=lambda item: item[0]) - 1
        inside = index >= 0 and code_point <= self._ranges[index][1]
        letter = self[code_point] = self._ranges[index][2] if inside else self._default
        return letter


class LowerMap(dict[int, int]):
    """Maps code points to lower-case code points, for `str.translate`, and remembers those that occurred."""

    @functools.cached_property
    def _lower(self) -> dict[int, int]:
        """Returns the lower-case code point of each capital."""
        return {upper: upper + delta for code_points, delta in parse_lower() for upper in code_points}

    def __missing__(self, code_point: int) -> int:
        lower = self[code_point] = self._lower.get(code_point, code_point)
        return lower


CLASS_OF = RangeMap(CLASSES, default="O")
"""`text.translate(CLASS_OF)` returns the class of each code point, a letter each."""

LOWER_OF = LowerMap()
"""`text.translate(LOWER_OF)` returns the text in lower case, code point by code point."""
