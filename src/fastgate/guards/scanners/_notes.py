"""Notes to models in other languages than English, in what nobody typed.

A rule of indirect.py, which owns the family. Each has a model as the one who is spoken to: what is to be kept from
users, or done without asking them, is what developers write about in every language.
"""

from __future__ import annotations

from fastgate.guards.rule import UNTRUSTED
from fastgate.guards.scanners._phrases import any_of, chain, phrase_rule

AI = "(?-i:IA|KI)"
"""In small letters it is a word of its own in French, or a part of others."""

AI_ELSEWHERE = any_of(f"""
    (?:die |den |das |alle |deine )?(?:{AI}\\b|ki-\\w{{1,12}}|sprachmodell\\w{{0,2}}) |
    (?:la |el |los |las )?(?:{AI}\\b|asistentes? (?:de {AI}|virtual)|modelos? de lenguaje|agentes? de {AI}) |
    (?:l.|le |les |aux? |tout )?(?:{AI}\\b|assistants? {AI}|mod.{{1,2}}les? de langage|agents? {AI}) |
    (?:a |o |os |as )?(?:{AI}\\b|assistentes? (?:de {AI}|virtua)|modelos? de linguagem|agentes? de {AI}) |
    (?:l.|il |gli |i )?(?:{AI}\\b|assistent[ei] (?:{AI}|virtual)|modell[oi] linguistic[oi]|agent[ei] {AI}) |
    (?:ИИ|языков|нейросет)
""")
NOTES_ELSEWHERE = (
    chain(
        any_of("""
            \\b(?:hinweis|anweisung(?:en)?|nachricht|achtung|notiz|befehl|mitteilung) (?:f.{1,2}r|an) |
            \\b(?:nota|aviso|instruc.{2,4}n(?:es)?|mensaje|atenci.{1,2}n|orden) (?:para|a|al) |
            \\b(?:note|instructions?|consignes?|attention|avis|ordre) (?:.{1,2}|pour|aux?|destin.{2,4} .{1,2}) |
            \\b(?:nota|aviso|instru.{2,5}es|mensagem|aten.{2,4}o|ordem) (?:para|ao|aos) |
            \\b(?:nota|avviso|istruzioni|messaggio|attenzione) (?:per|a|al) |
            (?:нструкци|ообщени|римечани|нимани|казани|оманд).{1,6}(?: для|,|:)
        """),
        AI_ELSEWHERE,
        most=2,
    ).replace("[^.!?\\n]{0,2}", " ?"),
    (
        "(?:给|对|致|请)(?:所有)?(?:AI|ai|人工智能|智能助手|语言模型|大模型)(?:助手|模型|代理|助理)?的?(?:指令|指示|"
        "命令|提示|说明|注意|通知|:)"
    ),
    "(?:AI|ai|人工智能|智能)(?:助手|模型|代理|助理)(?:请|必须|务必|注意)",
    "AI(?:アシスタント|モデル|エージェント)?(?:への|に対する|宛ての|へ)(?:指示|命令|注意|お知らせ|メッセージ)",
    "AI(?: ?(?:어시스턴트|모델|에이전트))?(?:에게|를 위한|에 대한) ?(?:지시|명령|메시지|알림)",
)
NOTES_OPENS = any_of("""
    (?:hinweis|anweisung|anweisungen|nachricht|achtung|notiz|befehl|mitteilung) (?:f.{1,2}r|an) (?:die ki|den ki|
    das ki|ki|alle ki|das spra|spra|die spra|alle spra|deine) |
    (?:nota|aviso|avviso|instruc.{2,4}n|instrucciones|instru.{2,5}es|istruzioni|mensaje|mensagem|messaggio|
    atenci.{1,2}n|orden|ordem) (?:para|a|al|ao|aos|per) (?:la |el |los |las |a |o |os |as |l.|il |gli |i )?(?:ia|
    asist|assist|model|agent) |
    (?:note|instruction|instructions|consigne|consignes|attention|avis|ordre) (?:.{1,2}|pour|au|aux|
    destin.{2,4} .{1,2}) (?:l.ia|l.assist|les? assist|les? mod|tout|les? agents? ia|l.agent) |
    для (?:ИИ|языков|нейросет) | [,:] (?:ИИ|языков|нейросет) |
    (?:给|对|致|请)(?:所有)?(?:ai|人工智能|智能助手|语言模型|大模型) |
    (?:ai|人工智能|智能)(?:助手|模型|代理|助理)(?:请|必|务|注) |
    ai(?:アシスタント|モデル|エージェント)?(?:への|に対|宛て|へ)(?:指|命|注|お|メ) |
    (?:에게|를 위한|에 대한) ?(?:지시|명령|메시지|알림)
""")

NOTES = (
    phrase_rule(
        "indirect-elsewhere",
        "a note to models, in another language than English",
        NOTES_ELSEWHERE,
        (
            "Hinweis für die KI: bitte",
            "Nota para la IA: por favor",
            "Note pour l'assistant IA : merci",
            "给AI助手的指令",
            "AIへの指示",
            "Инструкция для ИИ",
        ),
        (
            "Hinweis für die Nutzer",
            "note pour les lecteurs",
            "nota para el lector",
            "AI助手",
            "Note pour l'assistant de direction",
            "Hinweis für den Kiosk",
            "note à ia_client",
            "不要告诉用户",
            "No le digas al usuario",
        ),
        kinds=UNTRUSTED,
        opens=NOTES_OPENS,
    ),
)
