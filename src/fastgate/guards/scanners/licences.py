"""Marks of licences in code: copyleft, source-available, non-commercial, proprietary."""

from __future__ import annotations

from fastgate.guards.rule import KINDS, Rule, Scanner, Severity
from fastgate.guards.scanners._phrases import any_of


def mark(
    name: str, title: str, text: str, samples: tuple[str, ...], clean: tuple[str, ...], severity: Severity
) -> Rule:
    return Rule(
        id=f"licence-{name}",
        title=title,
        pattern=any_of(text),
        caseless=True,
        kinds=frozenset(KINDS),
        severity=severity,
        samples=samples,
        clean=clean,
    )


RULES = (
    mark(
        "copyleft",
        "code under a copyleft licence",
        r"""
        SPDX-License-Identifier:\s{1,3}L?GPL- | GNU (?:Lesser |Library )?General Public Licen[cs]e |
        Licen[cs]ed under (?:the )?(?:GPL|LGPL|GNU (?:L|G)) |
        SPDX-License-Identifier:\s{1,3}(?:MPL|EUPL|CDDL|OSL)-
    """,
        (
            "SPDX-License-Identifier: GPL-3.0-or-later",
            "under the terms of the GNU General Public License",
            "Licensed under the GPL",
        ),
        ("SPDX-License-Identifier: MIT", "a general public"),
        "medium",
    ),
    mark(
        "network-copyleft",
        "code under a network copyleft licence",
        r"""
        SPDX-License-Identifier:\s{1,3}AGPL- | GNU Affero General Public |
        Licen[cs]ed under (?:the )?(?:GNU )?A(?:ffero|GPL) | Server Side Public Licen[cs]e |
        SPDX-License-Identifier:\s{1,3}SSPL
    """,
        ("SPDX-License-Identifier: AGPL-3.0", "GNU Affero General Public License", "Server Side Public License"),
        ("a public server",),
        "high",
    ),
    mark(
        "source-available",
        "code whose licence limits its use",
        r"""
        Business Source Licen[cs]e | SPDX-License-Identifier:\s{1,3}(?:BUSL|Elastic|PolyForm) |
        Elastic Licen[cs]e 2 | Commons Clause | PolyForm (?:Noncommercial|Small|Shield) |
        Functional Source Licen[cs]e
    """,
        ("Business Source License 1.1", "SPDX-License-Identifier: BUSL-1.1", "Commons Clause"),
        ("the business source",),
        "medium",
    ),
    mark(
        "non-commercial",
        "a work for non-commercial use only",
        """
        CC[ -]BY-NC | Attribution-NonCommercial | for non-?commercial (?:use|purposes) only |
        not for commercial use | for (?:academic|research|evaluation) use only
    """,
        ("CC BY-NC 4.0", "for non-commercial use only"),
        ("CC BY 4.0", "commercial use is fine"),
        "medium",
    ),
    mark(
        "proprietary",
        "code that its owner calls proprietary",
        r"""
        proprietary and confidential |
        unauthori[sz]ed (?:copying|use|distribution) of this (?:file|software|program) |
        SPDX-License-Identifier:\s{1,3}(?:LicenseRef-)?Proprietary |
        this (?:file|software|source code) is (?:the )?(?:confidential|proprietary)|trade secrets? of
    """,
        (
            "Proprietary and confidential",
            "Unauthorized copying of this file is prohibited",
            "contains trade secrets of Acme",
        ),
        ("a proprietary format",),
        "high",
    ),
)

SCANNER = Scanner(name="licences", title="Marks of licences in code", rules=RULES)
