"""How severe a report is: quoted factors, a visible rubric, the team's scale, and a statistical second opinion."""
