SwaggerUIBundle({ url: "swagger.json", dom_id: "#swagger", deepLinking: true, tryItOutEnabled: true });
